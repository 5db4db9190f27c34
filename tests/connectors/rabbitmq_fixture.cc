#include "tests/connectors/rabbitmq_fixture.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <random>
#include <set>
#include <thread>

#include "common/status.h"
#include "executor/connectors/rabbitmq/amqp_text.h"
#include "executor/connectors/rabbitmq/errors.h"

namespace millrace {
namespace {

using rabbitmq::Bytes;
using rabbitmq::Text;

constexpr char kScript[] = MILLRACE_SOURCE_DIR "/scripts/servers/rabbitmq.sh";
constexpr char kUser[] = "millrace";
constexpr char kPassword[] = "millrace-secret";

void Must(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "rabbitmq fixture: %s failed\n", what.c_str());
  std::abort();
}

bool Free(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return is_free;
}

// The one server of this program. Stopped when the program ends in order.
struct SharedServer {
  SharedServer() {
    if (access("/usr/lib/rabbitmq/bin/rabbitmq-server", X_OK) != 0) return;
    std::random_device random;
    do port = 20'000 + static_cast<int>(random() % 12'000);
    while (!Free(port) || !Free(port + 1) || !Free(port + 2) || !Free(port + 3));
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-rabbitmq-test.XXXXXX").string();
    Must(mkdtemp(pattern.data()) != nullptr, "mkdtemp");
    directory = pattern;
    Run("start --tls");
  }
  ~SharedServer() {
    if (directory.empty()) return;
    Run("stop");
    std::filesystem::remove_all(directory);
  }
  void Run(const std::string& command) const {
    const std::string line = std::string("timeout 120 ") + kScript + " " + command + " --port " + std::to_string(port) +
                             " --data " + directory + " > " + directory + "/script.log 2>&1";
    Must(std::system(line.c_str()) == 0, line);
  }
  int port = 0;
  std::string directory;
};
SharedServer& TheServer() {
  static SharedServer server;
  return server;
}

// A plain connection with channel 1, for one thing.
class Client {
 public:
  Client() : state(amqp_new_connection()) {
    amqp_socket_t* socket = amqp_tcp_socket_new(state);
    Must(amqp_socket_open(socket, "127.0.0.1", TheServer().port) == AMQP_STATUS_OK, "connect");
    Good(amqp_login(state, "/", 0, 131'072, 0, AMQP_SASL_METHOD_PLAIN, kUser, kPassword), "login");
    amqp_channel_open(state, 1);
    Good("channel");
  }
  ~Client() {
    amqp_connection_close(state, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(state);
  }
  void Good(const amqp_rpc_reply_t& reply, const std::string& what) {
    Must(reply.reply_type == AMQP_RESPONSE_NORMAL,
         what + ": " + Message(rabbitmq::ReplyStatus("server", "test", reply)));
  }
  void Good(const std::string& what) { Good(amqp_get_rpc_reply(state), what); }

  const amqp_connection_state_t state;
};

std::string NewName(const std::string& prefix) {
  static std::atomic<int> counter = 0;
  return prefix + "-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
}

TestMessage Read(const amqp_message_t& message, std::string_view routing_key) {
  TestMessage out{std::string(Text(message.body)), "", std::string(routing_key), {}, 0};
  if (message.properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) out.id = Text(message.properties.message_id);
  if (message.properties._flags & AMQP_BASIC_TIMESTAMP_FLAG) out.timestamp = message.properties.timestamp;
  return out;
}

}  // namespace

std::vector<TestMessage> NumberedMessages(int from, int to, bool ids) {
  std::vector<TestMessage> messages;
  for (int i = from; i < to; ++i) {
    messages.push_back({"body-" + std::to_string(i), ids ? "id-" + std::to_string(i) : ""});
  }
  return messages;
}

void RabbitMqTest::SetUpTestSuite() { TheServer(); }

void RabbitMqTest::SetUp() {
  if (TheServer().directory.empty()) {
    GTEST_SKIP() << "rabbitmq-server is not installed: run scripts/servers/rabbitmq.sh install";
  }
}

void RabbitMqTest::Server(const std::string& command) { TheServer().Run(command); }
std::string RabbitMqTest::directory() const { return TheServer().directory; }
std::string RabbitMqTest::address(bool tls) const {
  return "127.0.0.1:" + std::to_string(TheServer().port + (tls ? 1 : 0));
}

engine::Options RabbitMqTest::ConnectionMap() const {
  return {{"hosts", address()},
          {"username", kUser},
          {"password_file", directory() + "/password"},
          {"heartbeat_ms", "1000"}};
}

std::string RabbitMqTest::NewQueue(const std::vector<std::pair<std::string, std::string>>& more) {
  Client client;
  std::string name = NewName("queue");
  std::vector<amqp_table_entry_t> entries;
  for (const auto& [key, value] : more) {
    amqp_table_entry_t entry{};
    entry.key = Bytes(key);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = Bytes(value);
    entries.push_back(entry);
  }
  amqp_queue_declare(client.state, 1, Bytes(name), 0, 1, 0, 0, {static_cast<int>(entries.size()), entries.data()});
  client.Good("declare " + name);
  return name;
}

std::string RabbitMqTest::NewExchange(const std::string& type) {
  Client client;
  std::string name = NewName("exchange");
  amqp_exchange_declare(client.state, 1, Bytes(name), Bytes(type), 0, 1, 0, 0, amqp_empty_table);
  client.Good("declare " + name);
  return name;
}

void RabbitMqTest::Bind(const std::string& queue, const std::string& exchange, const std::string& key) {
  Client client;
  amqp_queue_bind(client.state, 1, Bytes(queue), Bytes(exchange), Bytes(key), amqp_empty_table);
  client.Good("bind " + queue);
}

void RabbitMqTest::DeleteQueue(const std::string& queue) {
  Client client;
  amqp_queue_delete(client.state, 1, Bytes(queue), 0, 0);
  client.Good("delete " + queue);
}

void RabbitMqTest::Publish(const std::string& queue, const std::vector<TestMessage>& messages,
                           const std::string& exchange) {
  Client client;
  amqp_confirm_select(client.state, 1);
  client.Good("confirm.select");
  for (const TestMessage& message : messages) {
    std::vector<amqp_table_entry_t> headers;
    for (const auto& [key, value] : message.headers) {
      amqp_table_entry_t entry{};
      entry.key = Bytes(key);
      entry.value.kind = AMQP_FIELD_KIND_UTF8;
      entry.value.value.bytes = Bytes(value);
      headers.push_back(entry);
    }
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG;
    properties.delivery_mode = 2;
    properties.headers = {static_cast<int>(headers.size()), headers.data()};
    if (!message.id.empty()) {
      properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
      properties.message_id = Bytes(message.id);
    }
    if (message.timestamp != 0) {
      properties._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
      properties.timestamp = message.timestamp;
    }
    const std::string& key = exchange.empty() ? queue : message.routing_key;
    Must(amqp_basic_publish(client.state, 1, Bytes(exchange), Bytes(key), 0, 0, &properties, Bytes(message.body)) ==
             AMQP_STATUS_OK,
         "publish");
  }
  std::set<std::uint64_t> waiting;
  for (std::uint64_t tag = 1; tag <= messages.size(); ++tag) waiting.insert(tag);
  while (!waiting.empty()) {
    amqp_frame_t frame;
    timeval patience{15, 0};
    Must(amqp_simple_wait_frame_noblock(client.state, &frame, &patience) == AMQP_STATUS_OK, "confirm");
    Must(frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD, "confirm");
    const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
    const auto last = waiting.upper_bound(ack->delivery_tag);
    ack->multiple != 0 ? waiting.erase(waiting.begin(), last) : waiting.erase(std::prev(last), last);
  }
}

std::vector<TestMessage> RabbitMqTest::Drain(const std::string& queue) {
  Client client;
  std::vector<TestMessage> all;
  while (true) {
    const amqp_rpc_reply_t reply = amqp_basic_get(client.state, 1, Bytes(queue), 1);
    client.Good(reply, "basic.get");
    if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) return all;
    const std::string key(Text(static_cast<const amqp_basic_get_ok_t*>(reply.reply.decoded)->routing_key));
    amqp_message_t message;
    client.Good(amqp_read_message(client.state, 1, &message, 0), "read");
    all.push_back(Read(message, key));
    amqp_destroy_message(&message);
    amqp_maybe_release_buffers(client.state);
  }
}

std::size_t RabbitMqTest::Ready(const std::string& queue) {
  Client client;
  const amqp_queue_declare_ok_t* ok = amqp_queue_declare(client.state, 1, Bytes(queue), 1, 1, 0, 0, amqp_empty_table);
  client.Good("declare " + queue);
  return ok->message_count;
}

}  // namespace millrace
