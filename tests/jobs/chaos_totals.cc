// Running totals per key, Kafka to Kafka, exactly once: for the test that kills things. A word's key is its first four
// characters; every batch in which a key occurs gives one record (key, total so far), so the totals of a key must grow
// from record to record, and the last must be the number of its words.
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(chaos_totals, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 100ms));
  ctx.CheckpointInterval(ctx.Arg("checkpoint", std::chrono::microseconds(1s)));
  ctx.State(ctx.Arg("disk", false) ? millrace::engine::StateBackend::kRocksDb
                                   : millrace::engine::StateBackend::kMemory);
  const std::string brokers = ctx.Arg("brokers");
  ctx.KafkaText({.brokers = brokers, .topics = {ctx.Arg("in")}, .start = millrace::KafkaStart::Parse("earliest")})
      .Uid("lines")
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .Map([](std::string_view word) { return std::pair(word.substr(0, 4), std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, 4)
      .MapWithState(millrace::StateSpec(
          [](const std::string& key, std::optional<std::uint64_t> count, millrace::StateHandle<std::uint64_t>& total) {
            total.Update(total.GetOr(0) + *count);
            return std::pair(key, total.Get());
          }))
      .Uid("totals")
      .ToKafka({.brokers = brokers, .topic = ctx.Arg("out")})
      .Uid("out");
}
