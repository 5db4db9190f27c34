// Shuffle blocks: writing records, reading them back, and the checksum over all of it.
#include <benchmark/benchmark.h>
#include <millrace/internal/shuffle_block.h>

#include "bench/micro/data.h"
#include "common/block/block.h"

namespace millrace::micro {
namespace {

constexpr std::uint64_t kRecords = 10'000;

struct Output : engine::TaskOutput {
  std::string block;
  void Block(std::uint32_t, std::uint32_t, std::string data, std::uint64_t) override { block = std::move(data); }
  void Rows(std::uint32_t, std::span<const engine::SinkRow>) override {}
  void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
};

std::string MakeData() {
  Output output;
  detail::PartitionBlocks blocks(1);
  for (std::uint64_t i = 0; i < kRecords; ++i) blocks.Add(0, "w" + std::to_string(Scatter(i) % 100'000), i % 300);
  blocks.Give(0, output);
  return output.block;
}

void EncodeBlock(benchmark::State& state) {
  std::vector<std::string> words;
  for (std::uint64_t i = 0; i < kRecords; ++i) words.push_back("w" + std::to_string(Scatter(i) % 100'000));
  for (auto _ : state) {
    Output output;
    detail::PartitionBlocks blocks(2);
    for (std::uint64_t i = 0; i < kRecords; ++i) blocks.Add(i % 2, words[i], i % 300);
    blocks.Give(0, output);
    benchmark::DoNotOptimize(output.block);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRecords));
}
BENCHMARK(EncodeBlock)->Unit(benchmark::kMicrosecond);

void DecodeBlock(benchmark::State& state) {
  const std::string data = MakeData();
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (detail::BlockReader block(data); block.Next();) {
      sum += Decode<std::string_view>(block.in()).size();
      sum += Decode<std::uint64_t>(block.in());
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRecords));
}
BENCHMARK(DecodeBlock)->Unit(benchmark::kMicrosecond);

void SumBlock(benchmark::State& state) {
  const std::string data = MakeData();
  for (auto _ : state) benchmark::DoNotOptimize(BlockChecksum({7, 1, 2, 3, 4}, 5, kRecords, data));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRecords));
}
BENCHMARK(SumBlock)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace millrace::micro
