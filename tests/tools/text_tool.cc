// What the generator's text must be, computed by a program that shares nothing with Millrace: the oracle of the
// quickstart and of the acceptance tests that run without Kafka.
//
//   millrace_text_tool lines N SEED     prints lines 0 to N-1
//   millrace_text_tool counts N SEED    prints "word<TAB>count" of these lines, sorted by bytes
//
// Lines are GeneratorText's defaults: ten words out of ten thousand. Exit 2 on wrong use.
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr int kWords = 10;
constexpr std::uint64_t kVocabulary = 10'000;

std::uint64_t Scramble(std::uint64_t v) {
  constexpr std::array<std::uint64_t, 2> kFactors = {13787848793156543929ULL, 10723151780598845931ULL};
  v = (v ^ (v / (1ULL << 30))) * kFactors[0];
  v = (v ^ (v / (1ULL << 27))) * kFactors[1];
  return v ^ (v / (1ULL << 31));
}

// The number of each word of a line. Multiplying two numbers below 2^32 and keeping the upper half is a fraction of
// the second.
std::array<std::uint64_t, kWords> WordNumbers(std::uint64_t line, std::uint64_t seed) {
  constexpr std::uint64_t kStep = 11400714819323198485ULL;
  std::array<std::uint64_t, kWords> numbers{};
  std::uint64_t state = Scramble(Scramble(seed + kStep) + line);
  for (std::uint64_t& number : numbers) {
    state += kStep;
    const std::uint64_t uniform = Scramble(state) / (1ULL << 32);
    number = uniform * uniform / (1ULL << 32) * kVocabulary / (1ULL << 32);
  }
  return numbers;
}

// Base 100, the highest digit first: consonant number digit/5, vowel number digit%5.
std::string Word(std::uint64_t number) {
  const std::string rest = number >= 100 ? Word(number / 100) : std::string();
  const std::size_t digit = number % 100;
  return rest + "bdfghjklmnprstvwzcxq"[digit / 5] + "aeiou"[digit % 5];
}

void PrintLines(std::uint64_t count, std::uint64_t seed) {
  for (std::uint64_t line = 0; line < count; ++line) {
    std::string text;
    for (const std::uint64_t number : WordNumbers(line, seed)) text += (text.empty() ? "" : " ") + Word(number);
    std::puts(text.c_str());
  }
}

void PrintCounts(std::uint64_t count, std::uint64_t seed) {
  std::vector<std::uint64_t> by_number(kVocabulary);
  for (std::uint64_t line = 0; line < count; ++line) {
    for (const std::uint64_t number : WordNumbers(line, seed)) ++by_number[number];
  }
  std::map<std::string, std::uint64_t> by_word;
  for (std::uint64_t number = 0; number < kVocabulary; ++number) {
    if (by_number[number] > 0) by_word[Word(number)] = by_number[number];
  }
  for (const auto& [word, times] : by_word) std::printf("%s\t%llu\n", word.c_str(), 0ULL + times);
}

bool Parse(const char* text, std::uint64_t& value) {
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  return error == std::errc() && stop == end;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  std::uint64_t count = 0;
  std::uint64_t seed = 0;
  if (argc != 4 || (command != "lines" && command != "counts") || !Parse(argv[2], count) || !Parse(argv[3], seed)) {
    std::fputs("usage: millrace_text_tool lines|counts N SEED\n", stderr);
    return 2;
  }
  command == "lines" ? PrintLines(count, seed) : PrintCounts(count, seed);
  return std::fflush(stdout) == 0 ? 0 : 1;
}
