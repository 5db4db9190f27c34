// RandomLine(index, seed, words, vocabulary): line number `index` of a text that is made, not stored. GeneratorText
// gives these lines, and whoever checks a job's output can compute them again: the same four numbers give the same line
// everywhere.
//
//   millrace::RandomLine(0, 1, 10, 10'000)   ten words of a vocabulary of ten thousand, separated by single blanks
//
// Words are numbered from 0; word n is n in base 100, each digit a syllable of two letters. Low numbers come more
// often: with u uniform in [0, 1), the number is vocabulary * u * u rounded down. Integer arithmetic only. Errors:
// none; a vocabulary of 0 counts as 1.
#pragma once

#include <cstdint>
#include <string>

#include "millrace/internal/mix_bits.h"

namespace millrace {

inline void AppendRandomWord(std::string& out, std::uint32_t number) {
  char reversed[10];  // base 100 needs at most five digits
  std::size_t size = 0;
  do {
    const std::uint32_t digit = number % 100;
    number /= 100;
    reversed[size++] = "aeiou"[digit % 5];
    reversed[size++] = "bdfghjklmnprstvwzcxq"[digit / 5];
  } while (number != 0);
  while (size > 0) out += reversed[--size];
}

inline void AppendRandomLine(std::string& out, std::uint64_t index, std::uint64_t seed, std::uint32_t words,
                             std::uint32_t vocabulary) {
  std::uint64_t state = detail::MixBits(detail::MixBits(seed + detail::kGolden) + index);
  const std::uint64_t known = vocabulary == 0 ? 1 : vocabulary;
  for (std::uint32_t i = 0; i < words; ++i) {
    state += detail::kGolden;
    const std::uint64_t u = detail::MixBits(state) >> 32;
    const std::uint64_t skewed = (u * u) >> 32;
    if (i > 0) out += ' ';
    AppendRandomWord(out, static_cast<std::uint32_t>((skewed * known) >> 32));
  }
}

inline std::string RandomLine(std::uint64_t index, std::uint64_t seed, std::uint32_t words, std::uint32_t vocabulary) {
  std::string line;
  AppendRandomLine(line, index, seed, words, vocabulary);
  return line;
}

}  // namespace millrace
