// A whole map task of the word count, from records as a source gives them to encoded blocks, through the same boundary
// as in a runner.
#include <benchmark/benchmark.h>
#include <millrace/millrace.h>

#include "bench/micro/data.h"

namespace millrace::micro {
namespace {

struct Output : engine::TaskOutput {
  std::uint64_t bytes = 0;
  void Block(std::uint32_t, std::uint32_t, std::string data, std::uint64_t) override { bytes += data.size(); }
  void Rows(std::uint32_t, std::span<const engine::SinkRow>) override {}
  void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
};

void WordCountMapTask(benchmark::State& state) {
  JobContext job("micro", {});
  job.BatchInterval(std::chrono::seconds(1));
  job.SocketText({.host = "localhost", .port = 1})
      .FlatMap([](std::string_view line, auto&& emit) { ForEachWord(line, emit); })
      .Map([](std::string_view word) { return std::pair(word, std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, 2)
      .Print();
  const auto program = job.Build();
  const std::vector<std::string> lines = Lines(100 * engine::kChunkRecords, 100'000);
  std::vector<engine::SourceRecord> records(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) records[i].value = lines[i];
  std::uint64_t batch = 0;
  for (auto _ : state) {
    Output output;
    engine::TaskContext context;
    context.batch = ++batch;
    const auto task = program->NewTask(context, output);
    for (std::size_t at = 0; at < records.size(); at += engine::kChunkRecords)
      task->Records(std::span(records).subspan(at, engine::kChunkRecords));
    task->Finish();
    benchmark::DoNotOptimize(output.bytes);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(records.size()));
}
BENCHMARK(WordCountMapTask)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::micro
