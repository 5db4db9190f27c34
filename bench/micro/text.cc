// Splitting lines into words, and hashing words.
#include <benchmark/benchmark.h>
#include <millrace/hash.h>
#include <millrace/words.h>

#include "bench/micro/data.h"

namespace millrace::micro {
namespace {

void SplitLine(benchmark::State& state) {
  const std::vector<std::string> lines = Lines(10'000, 100'000);
  std::size_t at = 0;
  for (auto _ : state) {
    std::size_t bytes = 0;
    ForEachWord(std::string_view(lines[at]), [&](std::string_view word) { bytes += word.size(); });
    benchmark::DoNotOptimize(bytes);
    if (++at == lines.size()) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SplitLine);

void HashWord(benchmark::State& state) {
  const std::vector<std::string> lines = Lines(1'000, 100'000);
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(HashOf(std::string_view(lines[at]).substr(0, 7)));
    if (++at == lines.size()) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(HashWord);

}  // namespace
}  // namespace millrace::micro
