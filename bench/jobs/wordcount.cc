// What the peers' word count does: lines from Kafka, words counted per batch, and of each batch the number of words and
// of different words; written to Kafka exactly once, one record a reduce partition.
#include <millrace/millrace.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using millrace::KafkaStart;

MILLRACE_JOB(wordcount, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 1000ms));
  const std::string brokers = ctx.Arg("brokers");
  ctx.KafkaText({.brokers = brokers, .topics = {ctx.Arg("in")}, .start = KafkaStart::Parse("earliest")})
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .Map([](std::string_view word) { return std::pair(word, std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, ctx.Arg("partitions", 2))
      .MapPartitions<std::string>([](std::span<const std::pair<std::string, std::uint64_t>> counts, auto&& emit) {
        std::uint64_t words = 0;
        for (const auto& [word, count] : counts) words += count;
        if (words > 0) emit(std::to_string(words) + '\t' + std::to_string(counts.size()));
      })
      .ToKafka({.brokers = brokers, .topic = ctx.Arg("out")});
}
