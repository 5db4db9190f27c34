// One connector at a time: lines from a source, counted, or lines of the generator into a sink.
//
//   --arg from=kafka|rabbitmq|flume|files|socket   counts go to files, one line "count" a batch and partition
//   --arg to=kafka|rabbitmq|cassandra|files        --arg count=N lines of ten words
//
// Arguments: address (brokers, hosts, contact_points, host:port), name (topic, queue, directory, keyspace), out
// (directory of the counts), username, password_file, interval.
#include <millrace/flume.h>
#include <millrace/millrace.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using millrace::DStream;
using millrace::JobContext;

namespace {

struct Place {
  std::string kind;
  std::string address;
  std::string name;
  std::string username;
  std::string password_file;

  std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1))); }
};

millrace::RabbitMqServer RabbitMqAt(const Place& place) {
  return {.hosts = {place.address}, .username = place.username, .password_file = place.password_file};
}

DStream<std::string_view> Read(JobContext& ctx, const Place& place) {
  if (place.kind == "kafka") return ctx.KafkaText({.brokers = place.address, .topics = {place.name}});
  if (place.kind == "rabbitmq") return ctx.RabbitMqText({.server = RabbitMqAt(place), .queues = {place.name}});
  if (place.kind == "flume") return ctx.FlumeText({.port = place.port()});
  if (place.kind == "files") return ctx.TextFiles({.directory = place.name, .bounded = false});
  if (place.kind == "socket") return ctx.SocketText({.host = "127.0.0.1", .port = place.port()});
  throw std::invalid_argument("argument from: there is no source '" + place.kind + "'");
}

struct Row {
  std::int64_t id = 0;
  std::string line = {};
};

void WriteRows(JobContext& ctx, const Place& place, std::uint64_t count) {
  ctx.Generator({.splits = 2, .count = count, .max_records_per_batch = 20'000},
                [](std::uint64_t index, std::uint64_t seed) {
                  Row row{static_cast<std::int64_t>(index), {}};
                  millrace::AppendRandomLine(row.line, index, seed, 10, 100'000);
                  return row;
                })
      .ToCassandra({.contact_points = place.address,
                    .keyspace = place.name,
                    .table = "lines",
                    .columns = {"id", "line"},
                    .consistency = "ONE",
                    .username = place.username,
                    .password_file = place.password_file})
      .Uid("out");
}

void Write(JobContext& ctx, const Place& place, std::uint64_t count) {
  if (place.kind == "cassandra") return WriteRows(ctx, place, count);
  const auto lines = ctx.GeneratorText(
      {.splits = 2, .count = count, .max_records_per_batch = 100'000, .words = 10, .vocabulary = 100'000});
  if (place.kind == "kafka") {
    lines.ToKafka({.brokers = place.address, .topic = place.name, .create_partitions = 4}).Uid("out");
  } else if (place.kind == "rabbitmq") {
    lines.ToRabbitMq({.server = RabbitMqAt(place), .routing_key = place.name}).Uid("out");
  } else if (place.kind == "files") {
    lines.ToFiles({.directory = place.name}).Uid("out");
  } else {
    throw std::invalid_argument("argument to: there is no sink '" + place.kind + "'");
  }
}

}  // namespace

MILLRACE_JOB(connector, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 500ms));
  const std::string from = ctx.Arg("from", "");
  const std::string to = ctx.Arg("to", "");
  const Place place{from.empty() ? to : from, ctx.Arg("address", ""), ctx.Arg("name", ""), ctx.Arg("username", ""),
                    ctx.Arg("password_file", "")};
  const auto count = ctx.Arg<std::uint64_t>("count", 0);
  const std::string out = ctx.Arg("out", "");
  if (from.empty()) return Write(ctx, place, count);
  Read(ctx, place)
      .Uid("in")
      .Map([](std::string_view line) { return std::pair(line.empty() ? 'x' : 'l', std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, 2)
      .ToFiles({.directory = out}, [](const auto& counted) { return std::to_string(counted.second); })
      .Uid("counts");
}
