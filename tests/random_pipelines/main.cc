// millrace_random_pipelines: random pipelines against a model that shares no code with Millrace.
//
//   in-process [--programs N] [--first SEED]     each on the testing kit; a failing one is made smaller and printed
//   in-process --program TEXT --seed SEED        one again
//   generate --programs N --first SEED           programs for a job, one a line
//   check --program TEXT... --input DIR          what the job random_pipeline left in DIR, against the model
//
// Prints "programs=N mismatches=M" at the end, and exits 0 if M is 0.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/random_pipelines/in_process.h"

namespace {

using namespace millrace::random_pipelines;

struct Arguments {
  std::string mode;
  std::uint64_t programs = 2'000;
  std::uint64_t first = 1;
  std::vector<std::string> given;
  std::uint64_t seed = 0;
  std::string input;
};

Program ProgramOf(std::uint64_t seed) {
  std::mt19937_64 random(seed * 7'919);
  return Generate(random);
}

int Report(std::uint64_t programs, std::uint64_t mismatches) {
  std::printf("programs=%llu mismatches=%llu\n", static_cast<unsigned long long>(programs),
              static_cast<unsigned long long>(mismatches));
  return mismatches == 0 ? 0 : 1;
}

int InProcess(const Arguments& arguments) {
  if (!arguments.given.empty()) {
    const std::string failure = RunInProcess(Parse(arguments.given.front()), arguments.seed);
    if (!failure.empty()) std::printf("%s\n", failure.c_str());
    return Report(1, failure.empty() ? 0 : 1);
  }
  std::uint64_t mismatches = 0;
  for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.programs; ++seed) {
    const Program program = ProgramOf(seed);
    if (RunInProcess(program, seed).empty()) continue;
    ++mismatches;
    const Program small = Shrink(program, seed);
    std::printf("seed %llu: %s\n  again: millrace_random_pipelines in-process --program '%s' --seed %llu\n",
                static_cast<unsigned long long>(seed), RunInProcess(small, seed).c_str(), ToText(small).c_str(),
                static_cast<unsigned long long>(seed));
  }
  return Report(arguments.programs, mismatches);
}

// Files are named WHAT-BATCH-PARTITION and hold lines "key number"; WHAT is "in" or the number of a program.
std::vector<Batch> ReadBatches(const std::string& dir, const std::string& what, std::size_t batches) {
  std::vector<Batch> all(batches);
  for (const auto& file : std::filesystem::directory_iterator(dir)) {
    const std::string name = file.path().filename().string();
    if (!name.starts_with(what + "-") || name.ends_with(".tmp")) continue;
    const std::size_t batch = std::strtoull(name.c_str() + what.size() + 1, nullptr, 10);
    if (batch == 0) continue;
    if (all.size() < batch) all.resize(batch);
    std::ifstream in(file.path());
    std::string key;
    for (std::uint64_t value = 0; in >> key >> value;) all[batch - 1].emplace_back(key, value);
  }
  for (Batch& batch : all) std::sort(batch.begin(), batch.end());
  return all;
}

int Check(const Arguments& arguments) {
  const std::vector<Batch> input = ReadBatches(arguments.input, "in", 0);
  if (input.empty()) {
    std::printf("there is no input in %s\n", arguments.input.c_str());
    return Report(arguments.given.size(), arguments.given.size());
  }
  std::uint64_t mismatches = 0;
  for (std::size_t i = 0; i < arguments.given.size(); ++i) {
    const std::vector<Batch> expected = Run(Parse(arguments.given[i]), input);
    const std::vector<Batch> actual = ReadBatches(arguments.input, std::to_string(i), input.size());
    if (actual == expected) continue;
    ++mismatches;
    const auto at =
        std::mismatch(actual.begin(), actual.end(), expected.begin(), expected.end()).first - actual.begin();
    std::printf("program %zu: %s: batch %td of %zu differs\n", i, arguments.given[i].c_str(), at + 1, input.size());
  }
  return Report(arguments.given.size(), mismatches);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (argc > 1) arguments.mode = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--programs") arguments.programs = std::stoull(value);
    if (name == "--first") arguments.first = std::stoull(value);
    if (name == "--program") arguments.given.push_back(value);
    if (name == "--seed") arguments.seed = std::stoull(value);
    if (name == "--input") arguments.input = value;
  }
  if (arguments.mode == "in-process") return InProcess(arguments);
  if (arguments.mode == "check") return Check(arguments);
  if (arguments.mode == "generate") {
    for (std::uint64_t i = 0; i < arguments.programs; ++i) std::puts(ToText(ProgramOf(arguments.first + i)).c_str());
    return 0;
  }
  std::fprintf(stderr, "usage: millrace_random_pipelines in-process|generate|check [options]; see main.cc\n");
  return 2;
}
