// The hash tables in which records of one key meet: of one batch (CombineTable), and from batch to batch (StateTable),
// with few keys, with as many as the caches hold, and with far more.
#include <benchmark/benchmark.h>
#include <millrace/internal/combine_table.h>
#include <millrace/internal/read_ahead.h>
#include <millrace/internal/state_table.h>

#include "bench/micro/data.h"

namespace millrace::micro {
namespace {

using detail::CombineTable;

constexpr std::size_t kAhead = 8;
constexpr std::size_t kChunk = 1024;

std::vector<std::uint64_t> Keys(std::uint64_t keys) {
  std::vector<std::uint64_t> made;
  for (std::uint64_t i = 0; i < std::uint64_t{1} << 20; ++i) made.push_back(Scatter(i) % keys);
  return made;
}

void Combine(benchmark::State& state) {
  using Table = CombineTable<std::uint64_t, std::uint64_t>;
  const auto keys = static_cast<std::uint64_t>(state.range(0));
  const std::vector<std::uint64_t> stream = Keys(keys);
  Table table;
  const auto update = [&](std::uint64_t key) {
    table.Update(
        HashOf(key), key,
        [&] {
          return Table::Entry{HashOf(key), key, 1};
        },
        [](std::uint64_t& count) { ++count; });
  };
  for (std::uint64_t key = 0; key < keys; ++key) update(key);
  std::size_t at = 0;
  for (auto _ : state) {
    for (std::size_t i = at; i < at + kChunk; ++i) {
      if (i + 2 * kAhead < stream.size()) table.PrefetchSlot(HashOf(stream[i + 2 * kAhead]));
      if (i + kAhead < stream.size()) table.PrefetchEntry(HashOf(stream[i + kAhead]));
      update(stream[i]);
    }
    at = (at + kChunk) % stream.size();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kChunk));
}
BENCHMARK(Combine)->Arg(1'000)->Arg(100'000)->Arg(10'000'000);

struct Counts : detail::OperatorState {
  explicit Counts(const detail::StateSetup& setup) : OperatorState(setup), counts(*this, "counts") {}
  detail::StateTable<std::uint64_t, std::uint64_t> counts;
};

// A block of map tasks' counts merged into the state, as MapWithState does.
void UpdateState(benchmark::State& state) {
  const auto keys = static_cast<std::uint64_t>(state.range(0));
  engine::OperatorDescription description;
  description.uid = "u";
  Counts held({&description, 0, 128, nullptr});
  held.Loaded();
  const auto touch = [&](std::uint64_t hash, std::uint64_t key, std::uint64_t add) {
    auto& entry = held.counts.FindOrAdd(hash, key, [] { return std::uint64_t{0}; });
    entry.value += add;
    held.counts.Changed(entry);
  };
  for (std::uint64_t key = 0; key < keys; ++key) touch(HashOf(key), key, 1);
  detail::PartitionBlocks blocks(1);
  for (const std::uint64_t key : Keys(keys)) blocks.Add(0, key, std::uint64_t{1});
  struct Output : engine::TaskOutput {
    std::string block;
    void Block(std::uint32_t, std::uint32_t, std::string data, std::uint64_t) override { block = std::move(data); }
    void Rows(std::uint32_t, std::span<const engine::SinkRow>) override {}
    void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
  } output;
  blocks.Give(0, output);
  for (auto _ : state) detail::ReadAhead<std::uint64_t, std::uint64_t>(output.block, held.counts, touch);
  state.SetItemsProcessed(state.iterations() << 20);
}
BENCHMARK(UpdateState)->Arg(1'000)->Arg(100'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::micro
