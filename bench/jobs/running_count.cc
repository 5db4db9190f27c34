// What the peers' running count does: a count a key that lives on from batch to batch, from Kafka; every batch gives
// the new counts of the keys it has touched, and of those each partition writes to Kafka, exactly once, how many there
// were and how many records they had.
#include <millrace/millrace.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using millrace::KafkaStart;

namespace {
struct Counted {
  std::uint64_t total = 0;    // so far
  std::uint64_t records = 0;  // in this batch
};
}  // namespace

MILLRACE_JOB(running_count, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 1000ms));
  ctx.CheckpointInterval(ctx.Arg("checkpoint", std::chrono::microseconds(10s)));
  ctx.State(ctx.Arg("disk", false) ? millrace::engine::StateBackend::kRocksDb
                                   : millrace::engine::StateBackend::kMemory);
  const std::string brokers = ctx.Arg("brokers");
  ctx.KafkaText({.brokers = brokers, .topics = {ctx.Arg("in")}, .start = KafkaStart::Parse("earliest")})
      .Uid("records")
      .Map([](std::string_view record) { return std::pair(record.substr(0, 7), std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, ctx.Arg("partitions", 2))
      .MapWithState(millrace::StateSpec(
          [](const std::string&, std::optional<std::uint64_t> count, millrace::StateHandle<std::uint64_t>& total) {
            total.Update(total.GetOr(0) + *count);
            return Counted{total.Get(), *count};
          }))
      .Uid("counts")
      .MapPartitions<std::string>([](std::span<const Counted> counts, auto&& emit) {
        std::uint64_t records = 0;
        for (const Counted& counted : counts) records += counted.records;
        if (records > 0) emit(std::to_string(records) + '\t' + std::to_string(counts.size()));
      })
      .ToKafka({.brokers = brokers, .topic = ctx.Arg("out")});
}
