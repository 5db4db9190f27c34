// Kafka to Kafka, exactly once: the words of each batch of one topic and their counts, as records (word, count) of
// another.
//
//   millrace submit kafka_word_count.so --arg brokers=127.0.0.1:9092 --arg in=lines --arg out=counts
//
// Arguments: brokers, in (topics, separated by commas), out (topic), start, partitions (of the reduction), interval.
#include <millrace/millrace.h>

using namespace std::chrono_literals;
using millrace::KafkaStart;

MILLRACE_JOB(kafka_word_count, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 100ms));
  const std::string brokers = ctx.Arg("brokers", "127.0.0.1:9092");
  ctx.KafkaText({.brokers = brokers,
                 .topics = {ctx.Arg("in", "lines")},
                 .start = KafkaStart::Parse(ctx.Arg("start", "earliest"))})
      .Uid("lines")
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .Map([](std::string_view word) { return std::pair(word, std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, ctx.Arg("partitions", 2))
      .ToKafka({.brokers = brokers, .topic = ctx.Arg("out", "counts")})
      .Uid("counts");
}
