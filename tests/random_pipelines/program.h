// A random pipeline as data: a source, then operations that each turn a stream of (text, number) into another. It is
// written as one line of text, so that a program that failed can be run again:
//
//   "map:3 window:3:1 reduce update"
//
// Windows are given in slides of the stream that they are put on. Plain data; any thread. Errors: std::invalid_argument
// for text that is no program.
#pragma once

#include <cstdint>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace millrace::random_pipelines {

struct Operation {
  std::string name;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};
using Program = std::vector<Operation>;

// Name, how many numbers it takes, and by how much it may multiply the records (roughly).
struct OperationKind {
  const char* name;
  int numbers;
  int growth;
};
inline constexpr OperationKind kKinds[] = {
    {"map", 1, 1},      {"rekey", 1, 1},     {"filter", 1, 1},  {"flat", 1, 2},      {"union", 0, 2},
    {"spread", 1, 1},   {"reduce", 0, 1},    {"max", 0, 1},     {"group", 0, 1},     {"values", 0, 1},
    {"count", 0, 1},    {"total", 0, 1},     {"window", 2, 4},  {"winreduce", 2, 1}, {"wincount", 2, 1},
    {"wingroup", 2, 1}, {"winvalues", 2, 1}, {"update", 1, 1},  {"touched", 0, 1},   {"mapstate", 0, 1},
    {"join", 0, 2},     {"leftjoin", 1, 2},  {"cogroup", 1, 1},
};

inline const OperationKind* FindKind(const std::string& name) {
  for (const OperationKind& kind : kKinds) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

inline std::string ToText(const Program& program) {
  std::string text;
  for (const Operation& op : program) {
    if (!text.empty()) text += ' ';
    text += op.name;
    const int numbers = FindKind(op.name)->numbers;
    if (numbers > 0) text += ':' + std::to_string(op.a);
    if (numbers > 1) text += ':' + std::to_string(op.b);
  }
  return text;
}

inline Program Parse(const std::string& text) {
  Program program;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    for (char& c : word) c = c == ':' ? ' ' : c;
    std::istringstream parts(word);
    Operation op;
    parts >> op.name;
    const OperationKind* kind = FindKind(op.name);
    if (kind == nullptr) throw std::invalid_argument("there is no operation '" + op.name + "'");
    if (kind->numbers > 0) parts >> op.a;
    if (kind->numbers > 1) parts >> op.b;
    if (parts.fail()) throw std::invalid_argument("operation '" + word + "' lacks a number");
    program.push_back(op);
  }
  if (program.empty()) throw std::invalid_argument("the program is empty");
  return program;
}

// 1 to 8 operations; what multiplies records comes at most twice, so that a batch stays small.
inline Program Generate(std::mt19937_64& random) {
  Program program;
  int growth = 1;
  const std::size_t size = 1 + random() % 8;
  while (program.size() < size) {
    const OperationKind& kind = kKinds[random() % std::size(kKinds)];
    if (growth * kind.growth > 8) continue;
    growth *= kind.growth;
    Operation op{kind.name, 0, 0};
    if (kind.numbers > 0) op.a = 1 + random() % 4;
    if (kind.numbers > 1) op.b = 1 + random() % 3;
    program.push_back(op);
  }
  return program;
}

}  // namespace millrace::random_pipelines
