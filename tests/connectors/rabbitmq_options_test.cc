#include <gmock/gmock.h>

#include "executor/connectors/rabbitmq/receivers.h"
#include "tests/connectors/collect.h"

namespace millrace::rabbitmq {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

engine::OperatorDescription Source(engine::Options more) {
  more.insert({{"hosts", "a, b:1,[::1]:2"}, {"queues", "orders"}});
  return Describe("rabbitmq", std::move(more));
}

TEST(RabbitMqOptionsTest, Defaults) {
  const auto options = ReadSourceOptions(Source({}));
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_EQ(options->connection.hosts.size(), 3u);
  EXPECT_EQ(options->connection.hosts[0].text(), "a:5672");
  EXPECT_EQ(options->connection.hosts[1].text(), "b:1");
  EXPECT_EQ(options->connection.hosts[2].host, "::1");
  EXPECT_EQ(options->connection.hosts[2].text(), "[::1]:2");
  EXPECT_EQ(options->connection.virtual_host, "/");
  EXPECT_EQ(options->connection.username, "guest");
  EXPECT_EQ(options->connection.heartbeat_s, 10);
  EXPECT_EQ(options->consumer.queue, "orders");
  EXPECT_EQ(options->consumer.prefetch_count, 1000);
  EXPECT_EQ(options->receivers, 1u);
}

TEST(RabbitMqOptionsTest, TlsHasAPortOfItsOwn) {
  const auto options = ReadSourceOptions(Source({{"tls", "true"}, {"ca_file", "/ca"}}));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->connection.hosts[0].port, 5671);
}

TEST(RabbitMqOptionsTest, SeveralQueuesAndBindings) {
  const auto options = ReadSourceOptions(Source({{"queues", "a,b"}, {"exchange", "e"}, {"binding_keys", "x, y.#"}}));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_THAT(options->queues, ElementsAre("a", "b"));
  EXPECT_THAT(options->consumer.binding_keys, ElementsAre("x", "y.#"));
  EXPECT_THAT(ReadSourceOptions(Source({{"exchange", "e"}}))->consumer.binding_keys, ElementsAre(""));
}

TEST(RabbitMqOptionsTest, EachReceiverIsASplit) {
  const auto options = ReadSourceOptions(Source({{"queues", "a/b,c"}, {"receivers", "2"}}));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_THAT(SplitNames(*options), ElementsAre("a/b/0", "a/b/1", "c/0", "c/1"));
  EXPECT_TRUE(NewReceiver(*options, "j", "a/b/1").ok());
  EXPECT_TRUE(absl::IsNotFound(NewReceiver(*options, "j", "c/2").status()));
}

TEST(RabbitMqOptionsTest, EveryMistakeIsNamed) {
  const auto bad = [](engine::Options more) {
    const auto options = ReadSourceOptions(Source(std::move(more)));
    EXPECT_TRUE(absl::IsInvalidArgument(options.status())) << options.status();
    return ErrorOf(options);
  };
  EXPECT_THAT(bad({{"queus", "x"}}), AllOf(HasSubstr("unknown option 'queus'"), HasSubstr("queues")));
  EXPECT_THAT(bad({{"queues", ","}}), HasSubstr("names no queue"));
  EXPECT_THAT(bad({{"queues", "a,a"}}), HasSubstr("names 'a' twice"));
  EXPECT_THAT(bad({{"queues", std::string(256, 'q')}}), HasSubstr("longer than 255"));
  EXPECT_THAT(bad({{"hosts", "h:0"}}), HasSubstr("port from 1 to 65535"));
  EXPECT_THAT(bad({{"hosts", "[::1"}}), HasSubstr("']'"));
  EXPECT_THAT(bad({{"hosts", ":5"}}), HasSubstr("no host"));
  EXPECT_THAT(bad({{"prefetch_count", "0"}}), HasSubstr("must be from 1 to 65535"));
  EXPECT_THAT(bad({{"queue_type", "qorum"}}), HasSubstr("quorum"));
  EXPECT_THAT(bad({{"binding_keys", "a"}}), HasSubstr("set the option exchange"));
  EXPECT_THAT(bad({{"dead_letter_exchange", "d"}}), HasSubstr("set declare = true"));
  EXPECT_THAT(bad({{"username", "jobs"}}), HasSubstr("password_file is missing"));
  EXPECT_THAT(bad({{"heartbeat_ms", "10"}}), HasSubstr("must be from 1000"));
  EXPECT_THAT(bad({{"ca_file", "/x"}}), HasSubstr("set tls = true"));
}

}  // namespace
}  // namespace millrace::rabbitmq
