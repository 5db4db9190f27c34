// Checks what the job large_state has written, key by key: millrace_large_state_tool KEYS ROUNDS DIRECTORY prints "keys=N
// wrong=M" and exits 0 if every key is there once with the right count and sum. Knows nothing of the code under test.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: millrace_large_state_tool KEYS ROUNDS DIRECTORY\n");
    return 2;
  }
  const std::uint64_t keys = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t rounds = std::strtoull(argv[2], nullptr, 10);
  if (keys == 0) return 2;
  std::vector<std::uint64_t> expected(keys);
  for (std::uint64_t i = 0; i < keys * rounds; ++i) expected[i % keys * 7919 % keys] += i;
  std::vector<std::uint8_t> seen(keys);
  std::uint64_t lines = 0;
  std::uint64_t wrong = 0;
  for (const auto& file : std::filesystem::directory_iterator(argv[3])) {
    if (file.path().extension() != ".tsv") continue;
    std::ifstream in(file.path());
    for (std::string line; std::getline(in, line); ++lines) {
      std::uint64_t key = 0;
      std::uint64_t count = 0;
      std::uint64_t sum = 0;
      const int fields = std::sscanf(line.c_str(), "key-%" SCNu64 "\t%" SCNu64 "\t%" SCNu64, &key, &count, &sum);
      if (fields != 3 || key >= keys) {
        ++wrong;
        continue;
      }
      if (seen[key] < 2) ++seen[key];
      if (count != rounds || sum != expected[key]) ++wrong;
    }
  }
  wrong += static_cast<std::uint64_t>(std::ranges::count_if(seen, [](std::uint8_t n) { return n != 1; }));
  std::printf("keys=%" PRIu64 " wrong=%" PRIu64 "\n", lines, wrong);
  return wrong == 0 && lines == keys ? 0 : 1;
}
