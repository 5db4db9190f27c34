#include <gmock/gmock.h>

#include <chrono>
#include <set>
#include <thread>

#include "tests/connectors/collect.h"
#include "tests/connectors/rabbitmq_fixture.h"

namespace millrace {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class RabbitMqSinking : public RabbitMqTest {
 protected:
  std::unique_ptr<SinkWriter> Writer(engine::Options more) {
    more.merge(ConnectionMap());
    auto sink = MakeSink(Describe("rabbitmq", std::move(more)));
    EXPECT_TRUE(sink.ok()) << sink.status();
    SinkPartition partition;
    partition.job_id = "job";
    partition.job_name = "test";
    partition.sink = "out";
    partition.partition = 3;
    return std::move(*(*sink)->NewWriter(partition));
  }
  std::unique_ptr<SinkWriter> Opened(engine::Options more) {
    auto writer = Writer(std::move(more));
    const auto mark = writer->Open();
    EXPECT_TRUE(mark.ok()) << mark.status();
    return writer;
  }
  static RowBuffer Rows(const std::vector<std::pair<std::string, std::string>>& rows) {
    RowBuffer buffer;
    for (const auto& [key, value] : rows) {
      const engine::SinkRow row{key, value, !key.empty()};
      buffer.Append({&row, 1});
    }
    return buffer;
  }
  static absl::Status Write(SinkWriter& writer, std::uint64_t batch, const RowBuffer& rows) {
    if (absl::Status staged = writer.Stage(batch, 5'000'000, rows); !staged.ok()) return staged;
    return writer.Commit(batch);
  }
};

TEST_F(RabbitMqSinking, RowsAreRoutedByTheirKeys) {
  const std::string exchange = NewExchange("direct");
  const std::string a = NewQueue(), b = NewQueue();
  Bind(a, exchange, "a");
  Bind(b, exchange, "b");
  auto writer = Opened({{"exchange", exchange}, {"routing_key", "b"}});
  ASSERT_EQ(Write(*writer, 7, Rows({{"a", "one"}, {"", "two"}})), absl::OkStatus());
  const auto in_a = Drain(a), in_b = Drain(b);
  ASSERT_THAT(in_a, SizeIs(1));
  ASSERT_THAT(in_b, SizeIs(1));
  EXPECT_EQ(in_a[0], (TestMessage{"one", "job/out/7/3/0", "a", {}, 5}));
  EXPECT_EQ(in_b[0], (TestMessage{"two", "job/out/7/3/1", "b", {}, 5}));
}

TEST_F(RabbitMqSinking, ARepeatedBatchHasTheSameIds) {
  const std::string queue = NewQueue();
  const auto rows = Rows({{"", "x"}, {"", "y"}});
  ASSERT_EQ(Write(*Opened({{"routing_key", queue}}), 1, rows), absl::OkStatus());
  auto next = Writer({{"routing_key", queue}});
  EXPECT_EQ(*next->Open(), 0u);  // no mark: whoever comes next writes the batch again
  ASSERT_EQ(Write(*next, 1, rows), absl::OkStatus());
  const auto all = Drain(queue);
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_EQ(all[0], all[2]);
  EXPECT_EQ(all[1], all[3]);
}

TEST_F(RabbitMqSinking, ManyRowsAreConfirmed) {
  const std::string queue = NewQueue();
  std::vector<std::pair<std::string, std::string>> rows;
  for (int i = 0; i < 30'000; ++i) rows.emplace_back("", "row-" + std::to_string(i));
  auto writer = Opened({{"routing_key", queue}});
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(Write(*writer, 1, Rows(rows)), absl::OkStatus());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.0f messages/s\n", 30'000 / took.count());
  EXPECT_EQ(Ready(queue), 30'000u);
}

TEST_F(RabbitMqSinking, AMessageThatNoQueueTakesIsAnError) {
  const std::string exchange = NewExchange("direct");
  const absl::Status status = Write(*Opened({{"exchange", exchange}}), 1, Rows({{"nobody", "x"}}));
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(Message(status), AllOf(HasSubstr(address()), HasSubstr("routing key 'nobody'"), HasSubstr(exchange)));
  EXPECT_EQ(Write(*Opened({{"exchange", exchange}, {"mandatory", "false"}}), 1, Rows({{"nobody", "x"}})),
            absl::OkStatus());
}

TEST_F(RabbitMqSinking, AMissingExchangeIsSaidAtOnce) {
  const auto mark = Writer({{"exchange", "no-such"}})->Open();
  EXPECT_TRUE(absl::IsNotFound(mark.status())) << mark.status();
  EXPECT_THAT(ErrorOf(mark), HasSubstr("exchange 'no-such'"));
}

TEST_F(RabbitMqSinking, WrongOptionsAreNamed) {
  const auto bad = [&](engine::Options more) {
    more.merge(ConnectionMap());
    return ErrorOf(MakeSink(Describe("rabbitmq", std::move(more))));
  };
  EXPECT_THAT(bad({{"exchagne", "x"}}), HasSubstr("unknown option 'exchagne'"));
  EXPECT_THAT(bad({{"hosts", "h:99999"}}), HasSubstr("port from 1 to 65535"));
  EXPECT_THAT(bad({{"mandatory", "maybe"}}), HasSubstr("must be true or false"));
  EXPECT_THAT(bad({{"ca_file", "/x"}}), HasSubstr("set tls = true"));
  EXPECT_THAT(bad({{"password_file", ""}}), HasSubstr("option password_file is missing"));
  EXPECT_THAT(bad({{"tls", "true"}, {"key_file", "/x"}}), HasSubstr("belong together"));
}

TEST_F(RabbitMqSinking, AnIdleWriterCallsTheServerAgain) {
  const std::string queue = NewQueue();
  auto writer = Opened({{"routing_key", queue}});
  ASSERT_EQ(Write(*writer, 1, Rows({{"", "a"}})), absl::OkStatus());
  std::this_thread::sleep_for(std::chrono::seconds(4));  // heartbeats are due every second: the server hangs up
  ASSERT_EQ(Write(*writer, 2, Rows({{"", "b"}})), absl::OkStatus());
  EXPECT_THAT(Drain(queue), SizeIs(2));
}

TEST_F(RabbitMqSinking, AServerThatHangsIsUnavailableAndNothingIsLost) {
  const std::string queue = NewQueue();
  auto writer = Opened({{"routing_key", queue}});
  ASSERT_EQ(Write(*writer, 1, Rows({{"", "a"}})), absl::OkStatus());
  Server("pause");
  const absl::Status status = Write(*writer, 2, Rows({{"", "b"}}));
  Server("resume");
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("no heartbeat came"));
  ASSERT_EQ(Write(*Opened({{"routing_key", queue}}), 2, Rows({{"", "b"}})), absl::OkStatus());
  std::set<std::string> ids;
  for (const TestMessage& message : Drain(queue)) ids.insert(message.id);
  EXPECT_THAT(ids, ElementsAre("job/out/1/3/0", "job/out/2/3/0"));
}

TEST_F(RabbitMqSinking, ConfirmedMessagesSurviveTheServersEnd) {
  const std::string queue = NewQueue();
  auto writer = Opened({{"routing_key", queue}});
  ASSERT_EQ(Write(*writer, 1, Rows({{"", "a"}, {"", "b"}})), absl::OkStatus());
  Server("ctl eval \"mnesia:sync_log().\"");  // else a queue this young may be forgotten
  Server("kill");
  EXPECT_TRUE(absl::IsUnavailable(Write(*writer, 2, Rows({{"", "c"}}))));
  Server("start --tls");
  EXPECT_THAT(Drain(queue), SizeIs(2));
}

}  // namespace
}  // namespace millrace
