// State of many keys under a steady stream, for measuring how long it is away when a process dies. Record i is of key i
// mod keys, so after one round every key is there, and how often it was met follows from i: the job ends itself when
// that is wrong. A key in a thousand is written, exactly once, to files or to a topic.
#include <millrace/millrace.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

MILLRACE_JOB(recovery, ctx) {
  constexpr std::uint64_t kSplits = 4;
  const auto keys =
      ctx.Arg("keys", std::uint64_t{1'000'000}) / kSplits * kSplits;  // so that a key stays in its split, and in order
  const auto rate = ctx.Arg("rate", std::uint64_t{50'000});
  ctx.BatchInterval(ctx.Arg("interval", std::chrono::microseconds(std::chrono::milliseconds(100))));
  ctx.CheckpointInterval(ctx.Arg("checkpoint", std::chrono::microseconds(std::chrono::seconds(5))));
  ctx.DefaultPartitions(ctx.Arg("partitions", std::uint32_t{6}));
  ctx.State(ctx.Arg("disk", false) ? millrace::engine::StateBackend::kRocksDb
                                   : millrace::engine::StateBackend::kMemory);
  const auto counts =
      ctx.Generator({.rate = rate, .splits = kSplits},
                    [keys](std::uint64_t index, std::uint64_t) { return std::pair(index % keys, index); })
          .MapWithState(millrace::StateSpec([keys](const std::uint64_t& key, std::optional<std::uint64_t> index,
                                                   millrace::StateHandle<std::uint64_t>& state) {
            std::optional<std::string> line;
            const std::uint64_t count = state.GetOr(0) + 1;
            state.Update(count);
            // Every key was met once in each round before this one.
            if (count != *index / keys + 1) throw std::runtime_error("a key has lost records, or has some twice");
            if (key % 1000 == 0) line = std::to_string(key) + '\t' + std::to_string(count);
            return line;
          }));
  if (const std::string brokers = ctx.Arg("brokers", ""); !brokers.empty()) {
    counts.ToKafka({.brokers = brokers, .topic = ctx.Arg("topic")});
  } else {
    counts.ToFiles({.directory = ctx.Arg("output"), .suffix = ".tsv"});
  }
}
