#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "tests/common/eventually.h"
#include "tests/connectors/kafka_fixture.h"

namespace millrace {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using KafkaSource = KafkaTest;

std::string StartOf(const SplitList& list, const std::string& split) {
  for (const SplitStart& start : list.splits) {
    if (start.split == split) return start.start;
  }
  return "no such split";
}

TEST_F(KafkaSource, ReadsSeveralTopicsAndReadsThemAgainExactly) {
  const std::string a = NewTopic(2);
  const std::string b = NewTopic(1);
  Produce(a, 0, Numbered("a0-", 0, 3000));
  Produce(a, 1, Numbered("a1-", 0, 2000));
  Produce(b, 0, Numbered("b0-", 0, 1000));
  auto source = MakeSourceOf(a + "," + b);
  auto list = source->ListSplits();
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->splits.size(), 3u);
  EXPECT_FALSE(list->complete);

  std::vector<std::unique_ptr<SplitReader>> readers;
  for (const SplitStart& split : list->splits)
    readers.push_back(std::move(*source->OpenSplit(split.split, split.start)));
  const std::vector<std::pair<std::string, int>> expected = {{"a0-", 3000}, {"a1-", 2000}, {"b0-", 1000}};
  for (std::size_t i = 0; i < readers.size(); ++i) {
    std::string position = "0";
    const auto& [prefix, count] = expected[i];
    const auto seen = Collect(*readers[i], position, static_cast<std::size_t>(count));
    EXPECT_THAT(Values(seen), ElementsAreArray(Numbered(prefix, 0, count)));
    EXPECT_EQ(position, std::to_string(count));
    auto again = readers[i]->Read("100", "777");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_THAT(Values(Drain(**again)), ElementsAreArray(Numbered(prefix, 100, 777)));
    // The reader now stands at 777 and has lost nothing.
    position = "777";
    EXPECT_THAT(Values(Collect(*readers[i], position, static_cast<std::size_t>(count - 777))),
                ElementsAreArray(Numbered(prefix, 777, count)));
  }
  EXPECT_EQ(source->Problem(), "");
}

TEST_F(KafkaSource, AnotherOwnerReadsARangeTheSame) {
  const std::string topic = NewTopic(1);
  Produce(topic, 0, Numbered("r", 0, 500));
  auto first = MakeSourceOf(topic);
  auto reader = *first->OpenSplit(topic + "-0", "0");
  std::string position = "0";
  const auto seen = Collect(*reader, position, 500);
  auto second = MakeSourceOf(topic);
  auto other = *second->OpenSplit(topic + "-0", "0");
  auto again = other->Read("0", position);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Drain(**again), seen);
}

TEST_F(KafkaSource, CloseNeverWaitsAndAnEmptyRangeStaysWhereItIs) {
  const std::string topic = NewTopic(1);
  auto source = MakeSourceOf(topic);
  auto reader = *source->OpenSplit(topic + "-0", "0");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    auto range = reader->Close("0", 0);
    ASSERT_TRUE(range.ok()) << range.status();
    EXPECT_EQ(range->end, "0");
    EXPECT_EQ(range->records, 0u);
    EXPECT_FALSE(range->finished);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
}

TEST_F(KafkaSource, ACutThatNeverBecameAPlanIsCutAgain) {
  const std::string topic = NewTopic(1);
  Produce(topic, 0, Numbered("r", 0, 300));
  auto source = MakeSourceOf(topic);
  auto reader = *source->OpenSplit(topic + "-0", "0");
  std::string position = "0";
  Collect(*reader, position, 300);
  position = "120";
  EXPECT_THAT(Values(Collect(*reader, position, 180)), ElementsAreArray(Numbered("r", 120, 300)));
  position = "250";
  EXPECT_THAT(Values(Collect(*reader, position, 50)), ElementsAreArray(Numbered("r", 250, 300)));
}

TEST_F(KafkaSource, RangesKeepToTheLimit) {
  const std::string topic = NewTopic(1);
  Produce(topic, 0, Numbered("r", 0, 1000));
  auto source = MakeSourceOf(topic, {{"max_records_per_batch", "100"}});
  auto reader = *source->OpenSplit(topic + "-0", "0");
  std::string position = "0";
  std::vector<std::string> values;
  ASSERT_TRUE(Eventually([&] {
    auto range = reader->Close(position, values.size() < 500 ? 7 : 0);
    EXPECT_LE(range->records, values.size() < 500 ? 7u : 100u);
    position = range->end;
    for (const Seen& seen : Drain(*range->data)) values.push_back(seen.value);
    return values.size() >= 1000;
  }));
  EXPECT_THAT(values, ElementsAreArray(Numbered("r", 0, 1000)));
}

TEST_F(KafkaSource, APartitionAddedWhileRunningBeginsAtItsFirstRecord) {
  const std::string topic = NewTopic(1);
  Produce(topic, 0, Numbered("old", 0, 10));
  auto source = MakeSourceOf(topic, {{"start", "latest"}});
  auto list = source->ListSplits();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(StartOf(*list, topic + "-0"), "10");
  AddPartitions(topic, 2);
  ASSERT_TRUE(Eventually([&] { return source->ListSplits()->splits.size() == 2; }));
  Produce(topic, 1, Numbered("new", 0, 5));
  list = source->ListSplits();
  EXPECT_EQ(StartOf(*list, topic + "-0"), "10") << "a start is resolved once";
  EXPECT_EQ(StartOf(*list, topic + "-1"), "0");
  auto reader = *source->OpenSplit(topic + "-1", "0");
  std::string position = "0";
  EXPECT_THAT(Values(Collect(*reader, position, 5)), ElementsAreArray(Numbered("new", 0, 5)));
}

TEST_F(KafkaSource, APartitionAddedWhileNobodyListedBeginsAtItsFirstRecord) {
  const std::string topic = NewTopic(1);
  ASSERT_TRUE(MakeSourceOf(topic, {{"start", "latest"}})->ListSplits().ok());
  AddPartitions(topic, 2);
  Produce(topic, 1, Numbered("new", 0, 5));
  auto next = MakeSourceOf(topic, {{"start", "latest"}});  // on another runner
  next->Resume();
  EXPECT_TRUE(Eventually([&] {
    auto list = next->ListSplits();
    return list.ok() && list->splits.size() == 2 && StartOf(*list, topic + "-1") == "0";
  }));
}

TEST_F(KafkaSource, StartPositionsBecomeOffsets) {
  const std::string topic = NewTopic(2);
  Produce(topic, 0, Numbered("a", 0, 10), 1'000'000);
  Produce(topic, 0, Numbered("b", 0, 10), 2'000'000);
  const auto start = [&](const std::string& option, int partition) {
    auto list = MakeSourceOf(topic, {{"start", option}})->ListSplits();
    return list.ok() ? StartOf(*list, topic + "-" + std::to_string(partition)) : Message(list.status());
  };
  EXPECT_EQ(start("earliest", 0), "0");
  EXPECT_EQ(start("latest", 0), "20");
  EXPECT_EQ(start("timestamp:1500000", 0), "10");
  EXPECT_EQ(start("timestamp:9000000", 0), "20") << "nothing is so young: the end";
  EXPECT_EQ(start("timestamp:1500000", 1), "0");
  EXPECT_EQ(start("offsets:" + topic + ":0=7", 0), "7");
  EXPECT_EQ(start("offsets:" + topic + ":0=7", 1), "0");
  EXPECT_EQ(start("offsets:" + topic + ":5=7", 0), "option start names partition 5 of topic '" + topic +
                                                       "', which does not exist at " + brokers_ +
                                                       "; correct the option or add partitions");
  DeleteRecordsBefore(topic, 0, 4);
  EXPECT_EQ(start("earliest", 0), "4");
}

TEST_F(KafkaSource, AnUnknownTopicIsNotFound) {
  auto list = MakeSourceOf("mr-test-nowhere")->ListSplits();
  EXPECT_EQ(list.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorOf(list),
            "topic 'mr-test-nowhere' does not exist at " + brokers_ + "; create it or correct the option topics");
}

TEST_F(KafkaSource, AnUnreachableBrokerIsShown) {
  auto source = MakeSource(Describe("kafka", {{"brokers", "127.0.0.1:1"}, {"topics", "t"}}), {"j1"});
  ASSERT_TRUE(source.ok());
  auto list = (*source)->ListSplits();
  EXPECT_EQ(list.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(ErrorOf(list), HasSubstr("kafka at 127.0.0.1:1: looking up topic 't'"));
  EXPECT_THAT(ErrorOf(list), HasSubstr("Connection refused"));
  EXPECT_THAT((*source)->Problem(), HasSubstr("broker 127.0.0.1:1"));
  EXPECT_THAT((*source)->Problem(), HasSubstr("Connection refused"));
  auto reader = (*source)->OpenSplit("t-0", "3");
  ASSERT_TRUE(reader.ok()) << "opening returns at once";
  auto range = (*reader)->Close("3", 0);
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_EQ(range->end, "3");
  const auto begin = std::chrono::steady_clock::now();
  range->data.reset();
  reader->reset();
  source->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3)) << "ending waits for no broker";
}

TEST_F(KafkaSource, TransactionsLeaveGapsThatRangesStepOver) {
  const std::string topic = NewTopic(1);
  // Offsets: a0-a4 at 0-4, marker 5, aborted 6-8, marker 9, b0-b4 at 10-14, marker 15.
  ProduceTransactions(topic, 0,
                      {{Numbered("a", 0, 5), true}, {Numbered("x", 0, 3), false}, {Numbered("b", 0, 5), true}});
  auto source = MakeSourceOf(topic);
  auto reader = *source->OpenSplit(topic + "-0", "0");
  std::string position = "0";
  const auto seen = Collect(*reader, position, 10);
  auto expected = Numbered("a", 0, 5);
  for (const std::string& b : Numbered("b", 0, 5)) expected.push_back(b);
  EXPECT_THAT(Values(seen), ElementsAreArray(expected));
  EXPECT_EQ(position, "15");
  // A range whose end lies in a gap, then the rest from the very same reader.
  auto first = reader->Read("0", "8");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(Values(Drain(**first)), ElementsAreArray(Numbered("a", 0, 5)));
  position = "8";
  EXPECT_THAT(Values(Collect(*reader, position, 5)), ElementsAreArray(Numbered("b", 0, 5)));
  // A range whose end is behind the last record, at the marker.
  auto last = reader->Read("12", "16");
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_THAT(Values(Drain(**last)), ElementsAreArray(Numbered("b", 2, 5)));

  auto uncommitted = MakeSourceOf(topic, {{"isolation", "read_uncommitted"}});
  auto all = *uncommitted->OpenSplit(topic + "-0", "0");
  position = "0";
  EXPECT_EQ(Collect(*all, position, 13).size(), 13u);
}

TEST_F(KafkaSource, RecordsThatAreGoneAreDataLoss) {
  const std::string topic = NewTopic(1);
  Produce(topic, 0, Numbered("r", 0, 100));
  DeleteRecordsBefore(topic, 0, 40);
  auto source = MakeSourceOf(topic);
  auto reader = *source->OpenSplit(topic + "-0", "10");
  auto again = reader->Read("10", "50");
  EXPECT_EQ(again.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(ErrorOf(again), HasSubstr(topic + "-0: the log no longer has offset 10; it now goes from 40 to 100"));
  auto fresh = *source->OpenSplit(topic + "-0", "10");
  std::string error;
  ASSERT_TRUE(Eventually([&] {
    auto range = fresh->Close("10", 0);
    error = ErrorOf(range);
    return range.status().code() == absl::StatusCode::kDataLoss;
  }));
  EXPECT_THAT(error, HasSubstr("the log no longer has offset 10"));
  // Moved to where there are records, the same reader goes on.
  std::string position = "40";
  EXPECT_THAT(Values(Collect(*fresh, position, 60)), ElementsAreArray(Numbered("r", 40, 100)));
}

TEST_F(KafkaSource, EveryCompressionIsRead) {
  for (const char* codec : {"gzip", "snappy", "lz4", "zstd"}) {
    const std::string topic = NewTopic(1, {{"compression.type", codec}});  // the broker packs it anew
    Produce(topic, 0, Numbered(codec, 0, 2000));
    auto source = MakeSourceOf(topic);
    auto reader = *source->OpenSplit(topic + "-0", "0");
    std::string position = "0";
    EXPECT_THAT(Values(Collect(*reader, position, 2000)), ElementsAreArray(Numbered(codec, 0, 2000)));
  }
}

TEST_F(KafkaSource, KeysHeadersAndTimesComeAlong) {
  const std::string topic = NewTopic(1);
  const auto error =
      rd_kafka_producev(producer_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_KEY("k", 1),
                        RD_KAFKA_V_TIMESTAMP(1234), RD_KAFKA_V_HEADER("h1", "v1", 2),
                        RD_KAFKA_V_HEADER("h2", nullptr, 0), RD_KAFKA_V_END);
  ASSERT_EQ(error, RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_flush(producer_, 10'000);
  auto source = MakeSourceOf(topic);
  auto reader = *source->OpenSplit(topic + "-0", "0");
  auto batch = reader->Read("0", "1");
  ASSERT_TRUE(batch.ok()) << batch.status();
  reader.reset();
  source.reset();  // a batch outlives its reader and source
  auto chunk = (*batch)->Next();
  ASSERT_EQ(chunk.size(), 1u);
  EXPECT_EQ(chunk[0].key, "k");
  EXPECT_EQ(chunk[0].value, "");
  EXPECT_EQ(chunk[0].timestamp_us, 1'234'000);
  EXPECT_EQ(chunk[0].topic, topic);
  ASSERT_EQ(chunk[0].header_count, 2u);
  EXPECT_EQ(chunk[0].headers[0].name, "h1");
  EXPECT_EQ(chunk[0].headers[0].value, "v1");
  EXPECT_EQ(chunk[0].headers[1].value, "");
}

TEST_F(KafkaSource, PrefetchIsBounded) {
  const std::string topic = NewTopic(1);
  for (int i = 0; i < 8; ++i) Produce(topic, 0, std::vector<std::string>(5000, std::string(200, 'x')));
  auto source = MakeSourceOf(
      topic, {{"rdkafka.queued.max.messages.kbytes", "1024"}, {"rdkafka.fetch.message.max.bytes", "100000"}});
  auto reader = *source->OpenSplit(topic + "-0", "0");
  std::string position = "0";
  std::size_t all = 0;
  std::uint64_t largest = 0;
  ASSERT_TRUE(Eventually([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    auto range = reader->Close(position, 0);
    position = range->end;
    all += range->records;
    largest = std::max(largest, range->records);
    return all == 40'000;
  }));
  // One fetch of up to a megabyte may come on top of the bound.
  EXPECT_LT(largest, 12'000u);
}

TEST_F(KafkaSource, ManyReadersShareOneConsumer) {
  const std::string topic = NewTopic(8);
  for (int p = 0; p < 8; ++p) Produce(topic, p, Numbered("p" + std::to_string(p) + "-", 0, 200));
  auto source = MakeSourceOf(topic);
  std::vector<std::thread> threads;
  for (int p = 0; p < 8; ++p) {
    threads.emplace_back([&, p] {
      const std::string split = topic + "-" + std::to_string(p);
      for (int round = 0; round < 3; ++round) {  // opened again and again, as tasks move
        auto reader = source->OpenSplit(split, "0");
        ASSERT_TRUE(reader.ok()) << reader.status();
        std::string position = "0";
        EXPECT_THAT(Values(Collect(**reader, position, 200)),
                    ElementsAreArray(Numbered("p" + std::to_string(p) + "-", 0, 200)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace millrace
