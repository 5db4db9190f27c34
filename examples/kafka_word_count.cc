// Kafka to Kafka, exactly once: the words of each batch of one topic and their counts, as records (word, count) of
// another.
//
//   millrace submit kafka_word_count.so --arg brokers=127.0.0.1:9092 --arg in=lines --arg out=counts
//
// Arguments: brokers, in (topics, separated by commas), out (topic), start, end, group, max_records_per_batch (of a
// partition of the topic; 0: no limit), partitions (of the reduction), interval; where brokers want TLS and a password:
// ca, user, password_file.
#include <millrace/millrace.h>

using namespace std::chrono_literals;
using millrace::KafkaEnd;
using millrace::KafkaStart;

namespace {

millrace::KafkaSecurity SecurityOf(millrace::JobContext& ctx) {
  millrace::KafkaSecurity security;
  security.ca = ctx.Arg("ca", "");
  security.tls = !security.ca.empty();
  security.username = ctx.Arg("user", "");
  security.password_file = ctx.Arg("password_file", "");
  if (!security.username.empty()) security.sasl = millrace::KafkaSasl::kScramSha256;
  return security;
}

}  // namespace

MILLRACE_JOB(kafka_word_count, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 100ms));
  const std::string brokers = ctx.Arg("brokers", "127.0.0.1:9092");
  const millrace::KafkaSecurity security = SecurityOf(ctx);
  ctx.KafkaText({.brokers = brokers,
                 .topics = {ctx.Arg("in", "lines")},
                 .start = KafkaStart::Parse(ctx.Arg("start", "earliest")),
                 .end = KafkaEnd::Parse(ctx.Arg("end", "")),
                 .max_records_per_batch = ctx.Arg("max_records_per_batch", std::uint64_t{0}),
                 .group = ctx.Arg("group", ""),
                 .security = security})
      .Uid("lines")
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .Map([](std::string_view word) { return std::pair(word, std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, ctx.Arg("partitions", 2))
      .ToKafka({.brokers = brokers, .topic = ctx.Arg("out", "counts"), .security = security})
      .Uid("counts");
}
