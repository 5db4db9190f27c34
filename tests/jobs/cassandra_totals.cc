// Running totals per word from Kafka to a Cassandra table, for the test that kills things on the way. The arguments are
// the sink's options.
#include <millrace/millrace.h>

using namespace std::chrono_literals;

namespace {

struct Total {
  std::string word;
  std::int64_t total = 0;
};

}  // namespace

MILLRACE_JOB(cassandra_totals, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 100ms));
  ctx.CheckpointInterval(ctx.Arg("checkpoint", std::chrono::microseconds(1s)));
  const std::string columns = ctx.Arg("columns", "word,total");
  const std::size_t comma = columns.find(',');
  ctx.KafkaText(
         {.brokers = ctx.Arg("brokers"), .topics = {ctx.Arg("in")}, .start = millrace::KafkaStart::Parse("earliest")})
      .Uid("lines")
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .Map([](std::string_view word) { return std::pair(word, std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, 4)
      .MapWithState(millrace::StateSpec(
          [](const std::string& key, std::optional<std::uint64_t> count, millrace::StateHandle<std::uint64_t>& total) {
            total.Update(total.GetOr(0) + *count);
            return std::pair(key, total.Get());
          }))
      .Uid("totals")
      .ToCassandra({.contact_points = ctx.Arg("contact_points"),
                    .keyspace = ctx.Arg("keyspace", "mr"),
                    .table = ctx.Arg("table", "totals"),
                    .columns = {columns.substr(0, comma), columns.substr(comma + 1)},
                    .consistency = "ONE",
                    .username = ctx.Arg("username", ""),
                    .password_file = ctx.Arg("password_file", ""),
                    .tls = ctx.Arg("tls", false),
                    .tls_ca_file = ctx.Arg("tls_ca_file", ""),
                    .tls_cert_file = ctx.Arg("tls_cert_file", ""),
                    .tls_key_file = ctx.Arg("tls_key_file", ""),
                    .connect_timeout_ms = 1'000,
                    .request_timeout_ms = 4'000},
                   [](const auto& total) {
                     return Total{total.first, static_cast<std::int64_t>(total.second)};
                   })
      .Uid("out");
}
