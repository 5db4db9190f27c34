// Lines "number customer" from Kafka, each joined with the customer's row in a Cassandra table, to files: for the test
// that kills things on the way. The arguments are the lookup's options.
#include <millrace/millrace.h>

using namespace std::chrono_literals;

namespace {

struct Customer {
  std::string name;
  std::int32_t tier = 0;
  std::optional<double> discount;
};

std::int64_t CustomerOf(std::string_view line) {
  return std::strtoll(std::string(line.substr(line.find(' ') + 1)).c_str(), nullptr, 10);
}

std::string Enriched(std::string_view line, const Customer* row) {
  std::string out(line);
  if (row == nullptr) return out + " none";
  out += " " + row->name + " " + std::to_string(row->tier);
  return out + (row->discount ? " " + std::to_string(static_cast<int>(*row->discount * 100)) : " -");
}

}  // namespace

MILLRACE_JOB(cassandra_lookup, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 100ms));
  const std::string columns = ctx.Arg("columns", "name,tier,discount");
  const std::size_t first = columns.find(',');
  const std::size_t last = columns.rfind(',');
  ctx.KafkaText(
         {.brokers = ctx.Arg("brokers"), .topics = {ctx.Arg("in")}, .start = millrace::KafkaStart::Parse("earliest")})
      .Uid("lines")
      .LookupCassandra<Customer>(
          {.contact_points = ctx.Arg("contact_points"),
           .keyspace = ctx.Arg("keyspace", "mr"),
           .table = ctx.Arg("table", "customers"),
           .key_columns = {ctx.Arg("key", "id")},
           .columns = {columns.substr(0, first), columns.substr(first + 1, last - first - 1), columns.substr(last + 1)},
           .cache_rows = static_cast<std::uint64_t>(ctx.Arg("cache_rows", 100'000)),
           .cache_ttl = std::chrono::ceil<std::chrono::milliseconds>(ctx.Arg("cache_ttl", 60s)),
           .consistency = "ONE",
           .username = ctx.Arg("username", ""),
           .password_file = ctx.Arg("password_file", ""),
           .tls = ctx.Arg("tls", false),
           .tls_ca_file = ctx.Arg("tls_ca_file", ""),
           .tls_cert_file = ctx.Arg("tls_cert_file", ""),
           .tls_key_file = ctx.Arg("tls_key_file", ""),
           .connect_timeout_ms = 1'000,
           .request_timeout_ms = 4'000},
          CustomerOf, Enriched)
      .Uid("customers")
      .ToFiles({.directory = ctx.Arg("out")})
      .Uid("out");
}
