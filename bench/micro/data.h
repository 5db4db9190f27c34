// What the micro-benchmarks work on: the same for every run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::micro {

inline std::uint64_t Scatter(std::uint64_t i) { return i * 0x9e3779b97f4a7c15ULL >> 20; }

// Lines of ten words out of `vocabulary`, small ranks far more often than large ones.
inline std::vector<std::string> Lines(std::size_t lines, std::uint64_t vocabulary) {
  std::vector<std::string> made;
  for (std::uint64_t i = 0; i < lines; ++i) {
    std::string line;
    for (std::uint64_t word = 0; word < 10; ++word) {
      const std::uint64_t draw = Scatter(i * 10 + word);
      const std::uint64_t rank = draw % 2 == 0 ? draw / 2 % 100 : draw / 2 % vocabulary;
      if (word > 0) line += ' ';
      line += "w" + std::to_string(rank);
    }
    made.push_back(std::move(line));
  }
  return made;
}

}  // namespace millrace::micro
