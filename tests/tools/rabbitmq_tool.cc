// The acceptance tests' own view of RabbitMQ, apart from Millrace's connector: makes queues, publishes messages with
// ids and confirms, reads a queue.
//
//   millrace_rabbitmq_tool declare QUEUE [--dead-letter EXCHANGE] | delete QUEUE
//   millrace_rabbitmq_tool exchange NAME TYPE     makes a durable exchange
//   millrace_rabbitmq_tool bind QUEUE EXCHANGE KEY
//   millrace_rabbitmq_tool publish QUEUE --count N [--from I] [--rate R] [--bytes B] [--no-ids]
//                                 messages I … I+N-1: body "m<number>", message_id the same, persistent; until all are
//                                 confirmed. When the server goes away it is called again, and what was not confirmed
//                                 is published again with the same id. --bytes: bodies are filled up with blanks.
//   millrace_rabbitmq_tool dump QUEUE             takes all messages, prints "message_id<TAB>body" of each
//   millrace_rabbitmq_tool ready QUEUE            prints how many messages wait
// Each with --server HOST:PORT [--user U] [--password P]. Reports on stderr. Exit 0 when all went well, 1 when the
// server did not play along, 2 on wrong use.
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{120};  // for a server that is away
constexpr std::size_t kMaxUnconfirmed = 2'000;

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "millrace_rabbitmq_tool: %s\n", why.c_str());
  std::exit(1);
}

[[noreturn]] void Usage() {
  std::fputs(
      "usage: millrace_rabbitmq_tool declare|delete|dump|ready QUEUE --server HOST:PORT [--dead-letter EXCHANGE]\n"
      "       millrace_rabbitmq_tool exchange NAME TYPE | bind QUEUE EXCHANGE KEY --server HOST:PORT\n"
      "       millrace_rabbitmq_tool publish QUEUE --count N [--from I] [--rate R] [--bytes B] [--no-ids] --server "
      "HOST:PORT\n",
      stderr);
  std::exit(2);
}

std::uint64_t Number(const std::string& text) {
  std::uint64_t value = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) Usage();
  return value;
}

amqp_bytes_t Bytes(const std::string& text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string Text(amqp_bytes_t bytes) { return std::string(static_cast<const char*>(bytes.bytes), bytes.len); }

struct Options {
  std::vector<std::string> words;
  std::map<std::string, std::string> named = {
      {"--user", "millrace"}, {"--password", "millrace-secret"}, {"--from", "0"}, {"--rate", "0"}, {"--bytes", "0"}};
  bool ids = true;

  std::uint64_t number(const std::string& name) const { return Number(text(name)); }
  const std::string& text(const std::string& name) const {
    const auto found = named.find(name);
    if (found == named.end()) Usage();
    return found->second;
  }
};

class Client {
 public:
  // Null when the server cannot be reached, or does not let us in.
  static std::unique_ptr<Client> Connect(const Options& options, std::string* why) {
    const std::string& server = options.text("--server");
    const std::size_t colon = server.rfind(':');
    if (colon == std::string::npos) Usage();
    std::unique_ptr<Client> client(new Client());
    amqp_socket_t* socket = amqp_tcp_socket_new(client->state);
    timeval timeout{5, 0};
    amqp_set_rpc_timeout(client->state, &timeout);
    amqp_set_handshake_timeout(client->state, &timeout);
    const int port = static_cast<int>(Number(server.substr(colon + 1)));
    if (amqp_socket_open_noblock(socket, server.substr(0, colon).c_str(), port, &timeout) != AMQP_STATUS_OK) {
      *why = "cannot connect to " + server;
      return nullptr;
    }
    const amqp_rpc_reply_t login = amqp_login(client->state, "/", 0, 131'072, 5, AMQP_SASL_METHOD_PLAIN,
                                              options.text("--user").c_str(), options.text("--password").c_str());
    amqp_channel_open(client->state, 1);
    if (login.reply_type != AMQP_RESPONSE_NORMAL || !client->Good()) {
      *why = "cannot log in at " + server;
      return nullptr;
    }
    return client;
  }
  ~Client() { amqp_destroy_connection(state); }
  Client(const Client&) = delete;

  bool Good() const { return amqp_get_rpc_reply(state).reply_type == AMQP_RESPONSE_NORMAL; }
  void Must(const std::string& what) const {
    if (!Good()) Die(what + " failed");
  }

  const amqp_connection_state_t state = amqp_new_connection();

 private:
  Client() = default;
};

std::unique_ptr<Client> MustConnect(const Options& options) {
  std::string why;
  auto client = Client::Connect(options, &why);
  if (client == nullptr) Die(why);
  return client;
}

void Declare(const Options& options) {
  const auto client = MustConnect(options);
  std::vector<amqp_table_entry_t> arguments;
  const auto dead = options.named.find("--dead-letter");
  if (dead != options.named.end()) {
    amqp_table_entry_t entry{};
    entry.key = amqp_cstring_bytes("x-dead-letter-exchange");
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = Bytes(dead->second);
    arguments.push_back(entry);
  }
  amqp_queue_declare(client->state, 1, Bytes(options.words[1]), 0, 1, 0, 0,
                     {static_cast<int>(arguments.size()), arguments.data()});
  client->Must("declaring " + options.words[1]);
}

// Publishes what is still open, and publishes it again when the server comes back.
class Publishing {
 public:
  explicit Publishing(const Options& options)
      : options_(options),
        queue_(options.words[1]),
        first_(options.number("--from")),
        count_(options.number("--count")) {
    for (std::uint64_t i = first_; i < first_ + count_; ++i) open_.insert(open_.end(), i);
  }

  void Run() {
    auto patience = Clock::now() + kPatience;
    while (!open_.empty()) {
      const std::size_t before = open_.size();
      std::string why;
      if (const auto client = Client::Connect(options_, &why)) Session(*client);
      if (open_.empty()) break;
      if (open_.size() < before) patience = Clock::now() + kPatience;
      if (Clock::now() > patience) Die(std::to_string(open_.size()) + " messages were not confirmed: " + why);
      ++sessions_;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    std::fprintf(stderr, "confirmed=%llu reconnects=%llu\n", static_cast<unsigned long long>(count_),
                 static_cast<unsigned long long>(sessions_));
  }

 private:
  // Until all is confirmed or the connection breaks.
  void Session(Client& client) {
    amqp_confirm_select(client.state, 1);
    if (!client.Good()) return;
    const std::vector<std::uint64_t> unconfirmed(open_.begin(), open_.end());
    std::map<std::uint64_t, std::uint64_t> under_way;  // delivery tag -> number
    std::uint64_t tag = 0;
    for (const std::uint64_t number : unconfirmed) {
      Throttle();
      if (!Send(client, number)) return;
      under_way[++tag] = number;
      const bool full = under_way.size() >= kMaxUnconfirmed;
      if ((full || tag % 64 == 0) && !TakeConfirms(client, under_way, full ? kMaxUnconfirmed / 2 : kMaxUnconfirmed))
        return;
    }
    TakeConfirms(client, under_way, 0);
  }

  void Throttle() {
    const std::uint64_t rate = options_.number("--rate");
    if (rate == 0) return;
    std::this_thread::sleep_until(begun_ + std::chrono::microseconds(sent_ * 1'000'000 / rate));
  }

  bool Send(Client& client, std::uint64_t number) {
    const std::string id = "m" + std::to_string(number);
    std::string body = id;
    if (body.size() < options_.number("--bytes")) body.resize(options_.number("--bytes"), ' ');
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    if (options_.ids) {
      properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
      properties.message_id = Bytes(id);
    }
    ++sent_;
    return amqp_basic_publish(client.state, 1, amqp_empty_bytes, Bytes(queue_), 0, 0, &properties, Bytes(body)) ==
           AMQP_STATUS_OK;
  }

  // Takes what has come, and waits until at most `leave` are not confirmed.
  bool TakeConfirms(Client& client, std::map<std::uint64_t, std::uint64_t>& under_way, std::size_t leave) {
    while (true) {
      amqp_frame_t frame;
      timeval wait{under_way.size() > leave ? 10 : 0, 0};
      const int status = amqp_simple_wait_frame_noblock(client.state, &frame, &wait);
      if (status == AMQP_STATUS_TIMEOUT) return under_way.size() <= leave;
      if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD) return false;
      if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) return false;
      const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
      const auto last = under_way.upper_bound(ack->delivery_tag);
      const auto first = ack->multiple != 0 || last == under_way.begin() ? under_way.begin() : std::prev(last);
      for (auto one = first; one != last; ++one) open_.erase(one->second);
      under_way.erase(first, last);
      amqp_maybe_release_buffers(client.state);
      if (under_way.empty()) return true;
    }
  }

  const Options& options_;
  const std::string queue_;
  const std::uint64_t first_;
  const std::uint64_t count_;
  const Clock::time_point begun_ = Clock::now();
  std::set<std::uint64_t> open_;
  std::uint64_t sent_ = 0;
  std::uint64_t sessions_ = 0;
};

void Dump(const Options& options) {
  const auto client = MustConnect(options);
  while (true) {
    const amqp_rpc_reply_t reply = amqp_basic_get(client->state, 1, Bytes(options.words[1]), 1);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) Die("reading " + options.words[1] + " failed");
    if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) return;
    amqp_message_t message;
    if (amqp_read_message(client->state, 1, &message, 0).reply_type != AMQP_RESPONSE_NORMAL) Die("reading failed");
    const bool has_id = (message.properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0;
    std::printf("%s\t%s\n", has_id ? Text(message.properties.message_id).c_str() : "", Text(message.body).c_str());
    amqp_destroy_message(&message);
    amqp_maybe_release_buffers(client->state);
  }
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--no-ids") {
      options.ids = false;
    } else if (word.starts_with("--")) {
      if (++i == argc) Usage();
      options.named[word] = argv[i];
    } else {
      options.words.push_back(word);
    }
  }
  return options;
}

void Run(const Options& options) {
  const std::string& command = options.words[0];
  if (command == "declare") return Declare(options);
  if (command == "publish") return Publishing(options).Run();
  if (command == "dump") return Dump(options);
  const auto client = MustConnect(options);
  if (command == "delete") {
    amqp_queue_delete(client->state, 1, Bytes(options.words[1]), 0, 0);
  } else if (command == "ready") {
    const auto* ok = amqp_queue_declare(client->state, 1, Bytes(options.words[1]), 1, 1, 0, 0, amqp_empty_table);
    client->Must(command);
    std::printf("%u\n", ok->message_count);
    return;
  } else if (command == "exchange" && options.words.size() == 3) {
    amqp_exchange_declare(client->state, 1, Bytes(options.words[1]), Bytes(options.words[2]), 0, 1, 0, 0,
                          amqp_empty_table);
  } else if (command == "bind" && options.words.size() == 4) {
    amqp_queue_bind(client->state, 1, Bytes(options.words[1]), Bytes(options.words[2]), Bytes(options.words[3]),
                    amqp_empty_table);
  } else {
    Usage();
  }
  client->Must(command);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  if (options.words.size() < 2) Usage();
  Run(options);
  return 0;
}
