#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "tests/connectors/kafka_fixture.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;

class KafkaSink : public KafkaTest {
 protected:
  std::unique_ptr<SinkWriter> Writer(const std::string& topic, engine::Options more = {}) {
    more.insert({{"brokers", brokers_}, {"topic", topic}});
    auto sink = MakeSink(Describe("kafka", std::move(more)));
    EXPECT_TRUE(sink.ok()) << sink.status();
    SinkPartition partition;
    partition.job_id = topic;  // a job of its own for every test
    partition.sink = "out";
    partition.stage = 1;
    partition.partition = 0;
    return std::move(*(*sink)->NewWriter(partition));
  }
  static RowBuffer Rows(const std::vector<std::string>& values, bool keyed = false) {
    RowBuffer rows;
    for (const std::string& value : values) {
      const engine::SinkRow row{"k", value, keyed};
      rows.Append({&row, 1});
    }
    return rows;
  }
  static void Write(SinkWriter& writer, std::uint64_t batch, const std::vector<std::string>& values) {
    ASSERT_EQ(writer.Stage(batch, 1'000'000, Rows(values)), absl::OkStatus());
    ASSERT_EQ(writer.Commit(batch), absl::OkStatus());
  }
};

TEST_F(KafkaSink, RowsAndMarkBecomeVisibleTogether) {
  const std::string topic = NewTopic(1);
  auto writer = Writer(topic);
  auto mark = writer->Open();
  ASSERT_TRUE(mark.ok()) << mark.status();
  EXPECT_EQ(*mark, 0u);
  ASSERT_TRUE(writer->Stage(1, 5'000'000, Rows({"a", ""}, true)).ok());
  EXPECT_THAT(ReadCommitted(topic, 1), IsEmpty());
  ASSERT_TRUE(writer->Commit(1).ok());
  EXPECT_THAT(ReadCommitted(topic, 1), ElementsAre("k=a", "k="));
  Write(*writer, 2, {"b"});
  writer.reset();
  auto next = Writer(topic);
  EXPECT_EQ(*next->Open(), 2u);
  EXPECT_THAT(ReadCommitted(topic, 1), ElementsAre("k=a", "k=", "b"));
}

TEST_F(KafkaSink, ABatchWithoutRowsLeavesTheMark) {
  const std::string topic = NewTopic(1);
  auto writer = Writer(topic);
  ASSERT_TRUE(writer->Open().ok());
  Write(*writer, 1, {"a"});
  Write(*writer, 2, {});
  EXPECT_EQ(*Writer(topic)->Open(), 1u);
}

TEST_F(KafkaSink, SmallTransactionsAreQuick) {
  const std::string topic = NewTopic(4);
  auto writer = Writer(topic);
  ASSERT_TRUE(writer->Open().ok());
  Write(*writer, 1, {"warm"});
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t batch = 2; batch < 22; ++batch) Write(*writer, batch, Numbered("r", 0, 20));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  std::printf("one transaction: %.1f ms\n", took.count() / 20);
  EXPECT_LT(took.count() / 20, 100);  // 106 ms is what librdkafka's default back-off would make of it
  EXPECT_EQ(ReadCommitted(topic, 4).size(), 401u);
}

TEST_F(KafkaSink, AZombieIsFenced) {
  const std::string topic = NewTopic(1);
  auto zombie = Writer(topic);
  ASSERT_TRUE(zombie->Open().ok());
  Write(*zombie, 1, {"one"});
  ASSERT_TRUE(zombie->Stage(2, 0, Rows({"two of the zombie"})).ok());
  auto owner = Writer(topic);
  auto mark = owner->Open();
  ASSERT_TRUE(mark.ok()) << mark.status();
  EXPECT_EQ(*mark, 1u);
  const absl::Status fenced = zombie->Commit(2);
  EXPECT_EQ(fenced.code(), absl::StatusCode::kAborted) << fenced;
  EXPECT_THAT(Message(fenced), HasSubstr("a newer owner has taken over this partition of the sink"));
  EXPECT_EQ(zombie->Stage(3, 0, Rows({"x"})).code(), absl::StatusCode::kFailedPrecondition);
  Write(*owner, 2, {"two"});
  EXPECT_THAT(ReadCommitted(topic, 1), ElementsAre("one", "two"));
}

TEST_F(KafkaSink, AStagedBatchThatIsDroppedHidesNothing) {
  const std::string topic = NewTopic(1);
  auto writer = Writer(topic);
  ASSERT_TRUE(writer->Open().ok());
  ASSERT_TRUE(writer->Stage(1, 0, Rows({"dropped"})).ok());
  writer.reset();
  // A transaction left open would hide this from readers for a minute.
  Produce(topic, 0, {"plain"});
  EXPECT_THAT(ReadCommitted(topic, 1), ElementsAre("plain"));
}

TEST_F(KafkaSink, StagingAnotherAttemptForgetsTheFirst) {
  const std::string topic = NewTopic(1);
  auto writer = Writer(topic);
  ASSERT_TRUE(writer->Open().ok());
  ASSERT_TRUE(writer->Stage(1, 0, Rows({"first"})).ok());
  Write(*writer, 1, {"second"});
  EXPECT_THAT(ReadCommitted(topic, 1), ElementsAre("second"));
}

TEST_F(KafkaSink, ABatchLargerThanTheBufferGoesThrough) {
  const std::string topic = NewTopic(4);
  auto writer = Writer(topic, {{"rdkafka.queue.buffering.max.messages", "1000"}});
  ASSERT_TRUE(writer->Open().ok());
  Write(*writer, 1, Numbered("row", 0, 50'000));
  EXPECT_EQ(ReadCommitted(topic, 4).size(), 50'000u);
}

TEST_F(KafkaSink, ARefusedRowPoisonsTheBatch) {
  const std::string topic = NewTopic(1, {{"max.message.bytes", "2000"}});
  auto writer = Writer(topic);
  ASSERT_TRUE(writer->Open().ok());
  Write(*writer, 1, {"good"});
  absl::Status status = writer->Stage(2, 0, Rows({"also good", std::string(10'000, 'x')}));
  if (status.ok()) status = writer->Commit(2);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(Message(status), HasSubstr("were not delivered"));
  EXPECT_EQ(*writer->Open(), 1u);
  EXPECT_THAT(ReadCommitted(topic, 1), ElementsAre("good"));
}

TEST_F(KafkaSink, WithoutTransactionsThereIsNoMark) {
  const std::string topic = NewTopic(1);
  auto writer = Writer(topic, {{"exactly_once", "false"}});
  ASSERT_EQ(*writer->Open(), 0u);
  Write(*writer, 1, {"a"});
  Write(*writer, 2, {"b"});
  EXPECT_EQ(*writer->Open(), 0u);
  Write(*writer, 2, {"b"});
  EXPECT_THAT(ReadCommitted(topic, 1), ElementsAre("a", "b", "b"));
}

TEST_F(KafkaSink, AnUnknownTopicIsNotFound) {
  auto opened = Writer("mr-test-nowhere")->Open();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorOf(opened),
            "topic 'mr-test-nowhere' does not exist at " + brokers_ +
                "; create it or correct the option topic; or let the sink make it, with the option create_partitions");
}

TEST_F(KafkaSink, ATopicThatIsNotThereIsMade) {
  const std::string topic = NewTopic(1) + "-made";  // a name that no other run has
  const engine::Options make = {{"create_partitions", "3"}, {"topic_config", "max.message.bytes=100000\n"}};
  auto first = Writer(topic, make);
  ASSERT_TRUE(first->Open().ok());
  Write(*first, 1, {"a"});
  EXPECT_THAT(ReadCommitted(topic, 3), ElementsAre("a"));
  // One that is there stays as it is.
  auto again = Writer(topic, {{"create_partitions", "5"}});
  ASSERT_TRUE(again->Open().ok());
  EXPECT_EQ(PartitionsOf(topic), 3);
}

TEST_F(KafkaSink, WhatTheBrokerDoesNotMakeIsSaid) {
  const std::string topic = NewTopic(1) + "-unmade";
  auto opened = Writer(topic, {{"create_partitions", "1"}, {"topic_config", "retention.years=1"}})->Open();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(ErrorOf(opened), HasSubstr("see the option topic_config"));
  opened = Writer(topic, {{"create_partitions", "1"}, {"replication_factor", "9"}})->Open();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(ErrorOf(opened), HasSubstr("must not exceed the number of brokers"));
}

TEST_F(KafkaSink, AnUnreachableBrokerIsUnavailable) {
  brokers_ = "127.0.0.1:1";
  const auto begin = std::chrono::steady_clock::now();
  auto writer = Writer("t");
  auto opened = writer->Open();
  writer.reset();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(ErrorOf(opened), HasSubstr("Connection refused"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

constexpr const char* kVictimTopic = "MILLRACE_TEST_VICTIM_TOPIC";

// Not a test of its own: the process that the next test starts and kills.
TEST_F(KafkaSink, DISABLED_Victim) {
  const char* topic = std::getenv(kVictimTopic);
  ASSERT_NE(topic, nullptr) << "is run by KilledBetweenStageAndCommit";
  auto writer = Writer(topic);
  ASSERT_TRUE(writer->Open().ok());
  Write(*writer, 1, {"one"});
  ASSERT_TRUE(writer->Stage(2, 0, Rows({"two"})).ok());
  // The row must be in the log, or the kill proves nothing. Offsets: "one" 0, its marker 1, "two" 2.
  auto uncommitted = MakeSourceOf(topic, {{"isolation", "read_uncommitted"}});
  auto reader = *uncommitted->OpenSplit(std::string(topic) + "-0", "0");
  auto batch = reader->Read("0", "3");
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_THAT(Values(Drain(**batch)), ElementsAre("one", "two"));
  kill(getpid(), SIGKILL);
}

TEST_F(KafkaSink, KilledBetweenStageAndCommit) {
  const std::string topic = NewTopic(1);
  const pid_t child = fork();
  if (child == 0) {
    setenv(kVictimTopic, topic.c_str(), 1);
    execl("/proc/self/exe", "victim", "--gtest_filter=KafkaSink.DISABLED_Victim", "--gtest_also_run_disabled_tests",
          "--gtest_brief=1", nullptr);
    _exit(127);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the victim ended by itself: " << status;
  auto writer = Writer(topic);
  auto mark = writer->Open();
  ASSERT_TRUE(mark.ok()) << mark.status();
  EXPECT_EQ(*mark, 1u);
  Write(*writer, 2, {"two again"});
  EXPECT_THAT(ReadCommitted(topic, 1), ElementsAre("one", "two again"));
}

}  // namespace
}  // namespace millrace
