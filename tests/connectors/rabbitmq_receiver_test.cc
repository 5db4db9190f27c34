#include "executor/connectors/rabbitmq/rabbitmq_receiver.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "tests/connectors/collect.h"
#include "tests/connectors/memory_store.h"
#include "tests/connectors/rabbitmq_fixture.h"

namespace millrace {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class RabbitMqReceiving : public RabbitMqTest {
 protected:
  static rabbitmq::ConnectionOptions Connection(const engine::Options& map) {
    const auto description = Describe("rabbitmq", map);
    auto options =
        rabbitmq::ReadConnectionOptions(OptionReader("source", description, rabbitmq::kConnectionOptionNames));
    EXPECT_TRUE(options.ok()) << options.status();
    return *options;
  }
  static rabbitmq::ConsumerOptions Consuming(const std::string& queue) {
    rabbitmq::ConsumerOptions options;
    options.queue = queue;
    options.queue_type = "classic";
    options.prefetch_count = 1000;
    options.max_message_bytes = 1 << 20;
    return options;
  }
  std::unique_ptr<Receiver> Start(const std::string& queue, MemoryStore& store, engine::Options more = {}) {
    more.merge(ConnectionMap());
    return Start(Consuming(queue), store, more);
  }
  static std::unique_ptr<Receiver> Start(const rabbitmq::ConsumerOptions& options, MemoryStore& store,
                                         const engine::Options& map) {
    auto receiver = std::make_unique<rabbitmq::RabbitMqReceiver>(Connection(map), options, "millrace test");
    EXPECT_TRUE(receiver->Start(store).ok());
    return receiver;
  }
  static bool AwaitProblem(const Receiver& receiver, const std::string& text) {
    return Eventually([&] { return receiver.Problem().find(text) != std::string::npos; });
  }
};

TEST_F(RabbitMqReceiving, EverythingOfAMessageArrivesAndIsAcknowledged) {
  const std::string queue = NewQueue();
  const std::string exchange = NewExchange("topic");
  Bind(queue, exchange, "orders.#");
  Publish(queue, {{"hello", "m1", "orders.eu", {{"source", "web"}}, 1'700'000'000}, {"", "", "orders.us"}}, exchange);
  MemoryStore store;
  auto receiver = Start(queue, store);
  ASSERT_TRUE(store.AwaitRecords(2));
  const auto records = store.records();
  EXPECT_EQ(records[0].value, "hello");
  EXPECT_EQ(records[0].id, "m1");
  EXPECT_EQ(records[0].key, "orders.eu");
  EXPECT_EQ(records[0].timestamp_us, 1'700'000'000'000'000);
  EXPECT_THAT(records[0].headers, ElementsAre(Pair("source", "web")));
  EXPECT_EQ(records[1].value, "");
  EXPECT_EQ(records[1].id, "");
  receiver->Stop();
  EXPECT_THAT(Drain(queue), IsEmpty());
  EXPECT_EQ(receiver->Problem(), "");
}

TEST_F(RabbitMqReceiving, ManyMessagesAreStoredInFewCallsAndInOrder) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 20'000));
  MemoryStore store;
  const auto begin = std::chrono::steady_clock::now();
  auto receiver = Start(queue, store);
  ASSERT_TRUE(store.AwaitRecords(20'000));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.0f messages/s, %.1f a call\n", 20'000 / took.count(), 20'000.0 / static_cast<double>(store.entered()));
  const auto bodies = store.values();
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(bodies[static_cast<std::size_t>(i)], "body-" + std::to_string(i));
  EXPECT_LT(store.entered(), 5'000);
}

TEST_F(RabbitMqReceiving, WhatIsNotStoredGoesBackToTheQueue) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 10));
  MemoryStore store;
  store.FailAll(absl::UnavailableError("the shared storage is away"));
  auto receiver = Start(queue, store);
  EXPECT_TRUE(AwaitProblem(*receiver, "the shared storage is away"));
  receiver->Stop();
  EXPECT_THAT(store.records(), IsEmpty());
  EXPECT_TRUE(Eventually([&] { return Ready(queue) == 10; }));
}

TEST_F(RabbitMqReceiving, StorageThatComesBackGetsTheSameMessages) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 10));
  MemoryStore store;
  store.FailAll(absl::ResourceExhaustedError("disk full"));
  auto receiver = Start(queue, store);
  EXPECT_TRUE(AwaitProblem(*receiver, "disk full"));
  store.FailAll(absl::OkStatus());
  ASSERT_TRUE(store.AwaitRecords(10));
  EXPECT_TRUE(Eventually([&] { return receiver->Problem().empty(); }));
  receiver->Stop();
  EXPECT_THAT(Drain(queue), IsEmpty());
}

TEST_F(RabbitMqReceiving, ASplitThatIsTakenOverEndsWithoutAcknowledging) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 3));
  MemoryStore store;
  store.FailAll(absl::AbortedError("another runner has it"));
  auto receiver = Start(queue, store);
  EXPECT_TRUE(Eventually([&] { return store.entered() > 0 && Ready(queue) == 3; }));
  receiver->Stop();
  EXPECT_EQ(store.entered(), 1);
}

TEST_F(RabbitMqReceiving, AStoreThatWaitsHoldsTheServerBackAndKeepsTheConnection) {
  const std::string queue = NewQueue();
  auto messages = NumberedMessages(0, 1'000, false);
  for (TestMessage& message : messages) message.body.resize(20'000, ' ');
  Publish(queue, messages);
  MemoryStore store;
  store.Hold(true);
  auto options = Consuming(queue);
  options.prefetch_count = 900;
  auto receiver = Start(options, store, ConnectionMap());  // heartbeats every second
  ASSERT_TRUE(Eventually([&] { return store.entered() == 1; }));
  // Longer than the server waits for a heartbeat: it would hang up, and everything would come twice.
  std::this_thread::sleep_for(std::chrono::seconds(4));
  EXPECT_EQ(Ready(queue), 100u);
  store.Hold(false);
  ASSERT_TRUE(store.AwaitRecords(1'000));
  receiver->Stop();
  EXPECT_THAT(store.records(), SizeIs(1'000));
  EXPECT_THAT(Drain(queue), IsEmpty());
}

TEST_F(RabbitMqReceiving, AMessageAboveTheLimitGoesToTheDeadLetterExchange) {
  const std::string dead = NewQueue();
  const std::string exchange = NewExchange("fanout");
  Bind(dead, exchange, "");
  const std::string queue = NewQueue({{"x-dead-letter-exchange", exchange}});
  Publish(queue, {{"small", "1"}, {std::string(3 << 20, 'x'), "poison"}, {"after", "3"}});
  MemoryStore store;
  auto receiver = Start(queue, store);
  ASSERT_TRUE(store.AwaitRecords(2));
  EXPECT_TRUE(AwaitProblem(*receiver, "1 messages of queue '" + queue + "' were rejected (larger than"));
  EXPECT_THAT(store.values(), ElementsAre("small", "after"));
  receiver->Stop();
  EXPECT_THAT(Drain(queue), IsEmpty());
  const auto rejected = Drain(dead);
  ASSERT_THAT(rejected, SizeIs(1));
  EXPECT_EQ(rejected[0].id, "poison");
}

TEST_F(RabbitMqReceiving, AMessageThatTheStoreRefusesIsFoundAmongTheOthers) {
  const std::string dead = NewQueue();
  const std::string exchange = NewExchange("fanout");
  Bind(dead, exchange, "");
  const std::string queue = NewQueue({{"x-dead-letter-exchange", exchange}});
  auto messages = NumberedMessages(0, 20);
  messages[7].body = std::string(500, 'x');
  messages[13].body = std::string(501, 'y');
  Publish(queue, messages);
  MemoryStore store;
  store.RefuseLongerThan(100);
  auto receiver = Start(queue, store);
  ASSERT_TRUE(store.AwaitRecords(18));
  EXPECT_TRUE(AwaitProblem(*receiver, "2 messages"));
  receiver->Stop();
  EXPECT_THAT(Drain(queue), IsEmpty());
  EXPECT_THAT(Drain(dead), SizeIs(2));
}

TEST_F(RabbitMqReceiving, AMissingQueueIsSaidAndTakenUpWhenItIsThere) {
  MemoryStore store;
  const std::string queue = NewQueue();
  DeleteQueue(queue);
  auto receiver = Start(queue, store);
  EXPECT_TRUE(AwaitProblem(*receiver, "there is no queue '" + queue + "'")) << receiver->Problem();
  EXPECT_THAT(receiver->Problem(), AllOf(HasSubstr(address()), HasSubstr("declare = true")));
}

TEST_F(RabbitMqReceiving, AQueueIsMadeAndBoundWhenAsked) {
  const std::string exchange = NewExchange("direct");
  auto options = Consuming(NewQueue() + "-made");
  options.declare = true;
  options.exchange = exchange;
  options.binding_keys = {"a", "b"};
  MemoryStore store;
  auto receiver = Start(options, store, ConnectionMap());
  EXPECT_TRUE(Eventually([&] {
    Publish("", {{"to-a", "", "a"}, {"to-b", "", "b"}, {"to-c", "", "c"}}, exchange);
    return store.values().size() >= 2;
  }));
  for (const std::string& body : store.values()) EXPECT_NE(body, "to-c");
}

TEST_F(RabbitMqReceiving, AQueueThatIsDeletedUnderItIsSaid) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 1));
  MemoryStore store;
  auto receiver = Start(queue, store);
  ASSERT_TRUE(store.AwaitRecords(1));
  DeleteQueue(queue);
  EXPECT_TRUE(Eventually([&] { return !receiver->Problem().empty(); }));
  EXPECT_THAT(receiver->Problem(), HasSubstr("queue '" + queue + "'"));
}

TEST_F(RabbitMqReceiving, AWrongPasswordIsSaid) {
  const std::string file = directory() + "/wrong";
  std::ofstream(file) << "not it\n";
  MemoryStore store;
  auto receiver = Start(NewQueue(), store, {{"password_file", file}});
  EXPECT_TRUE(AwaitProblem(*receiver, "wrong user or password")) << receiver->Problem();
  EXPECT_THAT(receiver->Problem(), AllOf(HasSubstr(address()), HasSubstr(file), HasSubstr("'millrace'")));
}

TEST_F(RabbitMqReceiving, APasswordFileThatIsMissingIsSaid) {
  MemoryStore store;
  auto receiver = Start(NewQueue(), store, {{"password_file", "/no/such/file"}});
  EXPECT_TRUE(AwaitProblem(*receiver, "password_file /no/such/file")) << receiver->Problem();
}

TEST_F(RabbitMqReceiving, AMissingVirtualHostIsSaid) {
  MemoryStore store;
  auto receiver = Start(NewQueue(), store, {{"virtual_host", "nowhere"}});
  EXPECT_TRUE(AwaitProblem(*receiver, "there is no virtual host 'nowhere'")) << receiver->Problem();
}

TEST_F(RabbitMqReceiving, ARefusedConnectionIsSaid) {
  MemoryStore store;
  auto receiver = Start(NewQueue(), store, {{"hosts", "127.0.0.1:1"}});
  EXPECT_TRUE(AwaitProblem(*receiver, "rabbitmq at 127.0.0.1:1: Connection refused")) << receiver->Problem();
}

TEST_F(RabbitMqReceiving, TheNextHostIsTriedWhenOneIsDown) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 2));
  MemoryStore store;
  auto receiver = Start(queue, store, {{"hosts", "127.0.0.1:1, " + address()}});
  EXPECT_TRUE(store.AwaitRecords(2));
}

TEST_F(RabbitMqReceiving, TlsWithATrustedCertificateWorks) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 2'000));
  MemoryStore store;
  auto receiver =
      Start(queue, store, {{"hosts", address(true)}, {"tls", "true"}, {"ca_file", directory() + "/ca.pem"}});
  EXPECT_TRUE(store.AwaitRecords(2'000)) << receiver->Problem();
}

TEST_F(RabbitMqReceiving, ACertificateOfOursIsShown) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 2));
  const engine::Options tls = {{"hosts", address(true)}, {"tls", "true"}, {"ca_file", directory() + "/ca.pem"}};
  engine::Options good = tls, bad = tls;
  good.insert({{"certificate_file", directory() + "/client.crt"}, {"key_file", directory() + "/client.key"}});
  bad.insert({{"certificate_file", directory() + "/client.crt"}, {"key_file", directory() + "/server.key"}});
  MemoryStore store;
  auto refused = Start(queue, store, bad);
  EXPECT_TRUE(AwaitProblem(*refused, "cannot be used together")) << refused->Problem();
  auto receiver = Start(queue, store, good);
  EXPECT_TRUE(store.AwaitRecords(2)) << receiver->Problem();
}

TEST_F(RabbitMqReceiving, AnUntrustedCertificateIsSaid) {
  MemoryStore store;
  auto receiver = Start(NewQueue(), store, {{"hosts", address(true)}, {"tls", "true"}});
  EXPECT_TRUE(AwaitProblem(*receiver, "certificate is not to be trusted")) << receiver->Problem();
  EXPECT_THAT(receiver->Problem(), AllOf(HasSubstr(address(true)), HasSubstr("ca_file")));
}

TEST_F(RabbitMqReceiving, ACertificateForAnotherNameIsSaid) {
  MemoryStore store;
  // An address in a form that resolves, and that no certificate carries.
  const std::string other = "127.1" + address(true).substr(address(true).rfind(':'));
  auto receiver = Start(NewQueue(), store, {{"hosts", other}, {"tls", "true"}, {"ca_file", directory() + "/ca.pem"}});
  EXPECT_TRUE(AwaitProblem(*receiver, "is not made out to '127.1'")) << receiver->Problem();
}

TEST_F(RabbitMqReceiving, APlainConnectionToTheTlsPortIsSaid) {
  MemoryStore store;
  auto receiver = Start(NewQueue(), store, {{"hosts", address(true)}});
  EXPECT_TRUE(AwaitProblem(*receiver, "is this port for plain AMQP?")) << receiver->Problem();
}

// Accepts connections, says `greeting` to each, and nothing more.
class Impostor {
 public:
  explicit Impostor(std::string greeting) : greeting_(std::move(greeting)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int fd = 0; (fd = accept(listener_, nullptr, nullptr)) >= 0; open_.push_back(fd)) {
        send(fd, greeting_.data(), greeting_.size(), MSG_NOSIGNAL);
      }
    });
  }
  ~Impostor() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (const int fd : open_) close(fd);
    close(listener_);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  const std::string greeting_;
  const int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int port_ = 0;
  std::vector<int> open_;  // the thread's, while it runs
  std::thread thread_;
};

TEST_F(RabbitMqReceiving, AServerThatSaysNothingIsGivenUp) {
  Impostor silent("");
  MemoryStore store;
  auto receiver = Start(NewQueue(), store, {{"hosts", silent.address()}, {"connect_timeout_ms", "300"}});
  EXPECT_TRUE(AwaitProblem(*receiver, silent.address() + ": logging in: no answer in time")) << receiver->Problem();
}

TEST_F(RabbitMqReceiving, AServerThatSpeaksSomethingElseIsSaid) {
  Impostor web("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  Impostor newer(std::string("AMQP\0\1\0\0", 8));
  MemoryStore store;
  auto receiver = Start(NewQueue(), store, {{"hosts", web.address()}, {"connect_timeout_ms", "300"}});
  EXPECT_TRUE(AwaitProblem(*receiver, web.address() + ": logging in")) << receiver->Problem();
  auto other = Start(NewQueue(), store, {{"hosts", newer.address()}, {"connect_timeout_ms", "300"}});
  EXPECT_TRUE(AwaitProblem(*other, newer.address() + ": logging in")) << other->Problem();
}

TEST_F(RabbitMqReceiving, ARestartedServerGoesOnWithWhatWasNotAcknowledged) {
  const std::string queue = NewQueue();
  Publish(queue, NumberedMessages(0, 100));
  MemoryStore store;
  auto receiver = Start(queue, store);
  ASSERT_TRUE(store.AwaitRecords(100));
  Server("stop");
  EXPECT_TRUE(AwaitProblem(*receiver, address())) << receiver->Problem();
  Server("start --tls");
  Publish(queue, NumberedMessages(100, 200));
  ASSERT_TRUE(Eventually([&] {
    const auto bodies = store.values();
    return std::set<std::string>(bodies.begin(), bodies.end()).size() == 200;
  }));
  EXPECT_TRUE(Eventually([&] { return receiver->Problem().empty(); }));
}

TEST_F(RabbitMqReceiving, AServerThatHangsIsNoticedByItsHeartbeats) {
  const std::string queue = NewQueue();
  MemoryStore store;
  auto receiver = Start(queue, store);
  Publish(queue, NumberedMessages(0, 1));
  ASSERT_TRUE(store.AwaitRecords(1));
  Server("pause");
  EXPECT_TRUE(AwaitProblem(*receiver, "no heartbeat came")) << receiver->Problem();
  Server("resume");
  Publish(queue, NumberedMessages(1, 2));
  EXPECT_TRUE(store.AwaitRecords(2));
}

}  // namespace
}  // namespace millrace
