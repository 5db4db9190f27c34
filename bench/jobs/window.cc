// What the peers' window does: counts a key over the last 10 s, every second, from Kafka; of each window every
// partition writes to Kafka, exactly once, its time and how many records it has.
#include <millrace/millrace.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using millrace::KafkaStart;

MILLRACE_JOB(window, ctx) {
  using Count = std::pair<std::string, std::uint64_t>;
  ctx.BatchInterval(1s);
  const std::string brokers = ctx.Arg("brokers");
  ctx.KafkaText({.brokers = brokers, .topics = {ctx.Arg("in")}, .start = KafkaStart::Parse("latest")})
      .Map([](std::string_view record) { return std::pair(record.substr(0, 7), std::uint64_t{1}); })
      .ReduceByKeyAndWindow(std::plus<>(), 10s, 1s, ctx.Arg("partitions", 2))
      .MapPartitions<std::string>([](const millrace::BatchContext& batch, std::span<const Count> counts, auto&& emit) {
        std::uint64_t records = 0;
        for (const auto& [key, count] : counts) records += count;
        emit(std::to_string(batch.time.time_since_epoch().count()) + '\t' + std::to_string(records));
      })
      .ToKafka({.brokers = brokers, .topic = ctx.Arg("out")});
}
