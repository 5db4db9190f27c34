// Orders from Kafka, payments from RabbitMQ and shipments from a Flume agent, joined by the order's number; complete
// orders go to a Kafka topic and to a Cassandra table. For the test that restarts each of these servers.
//
// A part that comes twice makes its order come out again, with the number of parts: so a record that was given twice
// shows, although the join would hide it.
//
// Arguments: brokers, rabbitmq and its password_file, port (of Flume's receiver; two are used), contact_points.
#include <millrace/flume.h>
#include <millrace/millrace.h>

using namespace std::chrono_literals;
using millrace::Message;

namespace {

// Where an order stands.
struct Order {
  std::uint32_t orders = 0;
  std::uint32_t payments = 0;
  std::uint32_t shipments = 0;
  std::string item = {};
  std::string queue = {};
  std::string carrier = {};

  bool complete() const { return orders > 0 && payments > 0 && shipments > 0; }
  std::uint32_t parts() const { return orders + payments + shipments; }
  void Add(const Order& part) {
    orders += part.orders;
    payments += part.payments;
    shipments += part.shipments;
    item += part.item;
    queue += part.queue;
    carrier += part.carrier;
  }
};

struct Row {
  std::int64_t id = 0;
  std::string item = {};
  std::string queue = {};
  std::string carrier = {};
  std::int32_t parts = 0;
};

using Part = std::pair<std::int64_t, Order>;

std::int64_t Number(std::string_view text) { return std::stoll(std::string(text)); }

Part OrderOf(std::string_view line) {  // "17 nails"
  const std::size_t blank = line.find(' ');
  return {Number(line.substr(0, blank)), {.orders = 1, .item = std::string(line.substr(blank + 1))}};
}
Part PaymentOf(const Message& message) {  // body "m17"
  return {Number(message.value.substr(1)), {.payments = 1, .queue = std::string(message.topic)}};
}
Part ShipmentOf(const Message& event) {  // body "17 by sea", and 17 as the header that is the key
  return {Number(event.key), {.shipments = 1, .carrier = std::string(event.value.substr(event.key.size() + 1))}};
}

std::optional<Row> Join(std::int64_t id, std::optional<Order> part, millrace::StateHandle<Order>& state) {
  Order order = state.GetOr({});
  order.Add(*part);
  state.Update(order);
  if (!order.complete()) return std::nullopt;
  return Row{id, order.item, order.queue, order.carrier, static_cast<std::int32_t>(order.parts())};
}

std::string TextOf(const Row& row) {
  return std::to_string(row.id) + "\t" + row.item + "\t" + row.queue + "\t" + row.carrier + "\t" +
         std::to_string(row.parts);
}

}  // namespace

MILLRACE_JOB(order_ledger, ctx) {
  ctx.BatchInterval(100ms);
  ctx.CheckpointInterval(2s);
  const std::string brokers = ctx.Arg("brokers");
  const auto orders = ctx.KafkaText({.brokers = brokers, .topics = {"orders"}}).Uid("orders").Map(OrderOf);
  const auto payments = ctx.RabbitMq({.server = {.hosts = {ctx.Arg("rabbitmq")},
                                                 .username = "millrace",
                                                 .password_file = ctx.Arg("password_file"),
                                                 .heartbeat = 2s},
                                      .queues = {"payments"}})
                            .Uid("payments")
                            .Map(PaymentOf);
  const auto port = ctx.Arg<std::uint16_t>("port", 4141);
  const auto shipments =
      ctx.Flume({.port = port, .ports = 2, .id_header = "id", .key_header = "id"}).Uid("shipments").Map(ShipmentOf);

  const auto complete = ctx.Union({orders, payments, shipments}).MapWithState(millrace::StateSpec(Join)).Uid("join");
  complete
      .ToKafka({.brokers = brokers, .topic = "complete", .create_partitions = 4},
               [](const Row& row) {
                 return millrace::KafkaOutput{std::to_string(row.id), TextOf(row)};
               })
      .Uid("complete");
  complete
      .ToCassandra({.contact_points = ctx.Arg("contact_points"),
                    .keyspace = "mr",
                    .table = "complete",
                    .columns = {"id", "item", "queue", "carrier", "parts"},
                    .consistency = "ONE",
                    .username = "cassandra",
                    .password_file = ctx.Arg("cassandra_password_file"),
                    .connect_timeout_ms = 1'000,
                    .request_timeout_ms = 4'000})
      .Uid("table");
}
