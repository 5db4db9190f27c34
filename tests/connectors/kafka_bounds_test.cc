// Which records a Kafka source reads: topics by pattern, an end, what is skipped when the log no longer has it, and the
// group whose offsets follow.
#include <gmock/gmock.h>

#include "executor/connectors/kafka/position.h"
#include "tests/common/eventually.h"
#include "tests/connectors/kafka_fixture.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(KafkaPosition, IsItsText) {
  for (const char* text : {"0", "57", "57/1000", "1200~", "1200/5000~", "9223372036854775807"}) {
    const auto position = kafka::ParsePosition("t-0", text);
    ASSERT_TRUE(position.ok()) << position.status();
    EXPECT_EQ(position->Text(), text);
  }
  for (const char* text : {"", "~", "/5", "5/", "-1", "5/x", "5~~", "5/6/7", "9223372036854775808"}) {
    EXPECT_FALSE(kafka::ParsePosition("t-0", text).ok()) << text;
  }
}

class KafkaBounds : public KafkaTest {
 protected:
  std::string ErrorOfOptions(engine::Options options) {
    options.insert({{"brokers", brokers_}});
    const auto source = MakeSource(Describe("kafka", std::move(options)), {"j1"});
    return source.ok() ? "no error" : Message(source.status());
  }
  // Reads a split until it is finished.
  std::vector<std::string> ReadAll(Source& source, const SplitStart& split, std::string* end = nullptr) {
    std::vector<std::string> values;
    auto reader = *source.OpenSplit(split.split, split.start);
    std::string position = split.start;
    EXPECT_TRUE(Eventually([&] {
      auto range = reader->Close(position, 0);
      EXPECT_TRUE(range.ok()) << range.status();
      if (!range.ok()) return true;
      for (const Seen& seen : Drain(*range->data)) values.push_back(seen.value);
      position = range->end;
      return range->finished;
    }));
    if (end != nullptr) *end = position;
    return values;
  }
};

TEST_F(KafkaBounds, TopicsByPatternAndThoseThatComeLater) {
  const std::string first = NewTopic(1);
  const std::string prefix = first + "-more";
  auto source =
      *MakeSource(Describe("kafka", {{"brokers", brokers_}, {"topic_pattern", first + "(-more.*)?"}}), {"j1"});
  auto list = source->ListSplits();
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->splits.size(), 1u);
  EXPECT_FALSE(list->complete);
  MakeTopic(prefix + "1", 2);
  Produce(prefix + "1", 1, {"a", "b"});
  ASSERT_TRUE(Eventually([&] {
    list = source->ListSplits();
    return list.ok() && list->splits.size() == 3;
  }));
  auto reader = source->OpenSplit(prefix + "1-1", "0");
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::string position = "0";
  EXPECT_THAT(Values(Collect(**reader, position, 2)), ElementsAre("a", "b"));
  EXPECT_FALSE(source->OpenSplit("another-0", "0").ok());
}

TEST_F(KafkaBounds, PatternThatMatchesNothingIsShown) {
  auto source = *MakeSource(Describe("kafka", {{"brokers", brokers_}, {"topic_pattern", "no-such-.*"}}), {"j1"});
  const auto list = source->ListSplits();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_THAT(list->splits, IsEmpty());
  EXPECT_THAT(source->Problem(), HasSubstr("no topic matches 'no-such-.*' yet"));
  EXPECT_THAT(ErrorOfOptions({{"topic_pattern", "a("}}), HasSubstr("which is no regular expression"));
  EXPECT_THAT(ErrorOfOptions({{"topic_pattern", "a"}, {"topics", "a"}}), HasSubstr("leave one of them out"));
}

TEST_F(KafkaBounds, EndsAtWhatIsThereWhenItBegins) {
  const std::string topic = NewTopic(3);
  Produce(topic, 0, Numbered("a", 0, 500));
  ProduceTransactions(topic, 1, {{Numbered("b", 0, 10), true}, {Numbered("x", 0, 10), false}});
  auto source = MakeSourceOf(topic, {{"end", "latest"}});
  auto list = source->ListSplits();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->complete);
  ASSERT_EQ(list->splits.size(), 3u);
  EXPECT_EQ(list->splits[0].start, "0/500");
  Produce(topic, 0, Numbered("late", 0, 50));
  std::string end;
  EXPECT_THAT(ReadAll(*source, list->splits[0], &end), ElementsAreArray(Numbered("a", 0, 500)));
  EXPECT_EQ(end, "500/500");
  // What ends the log are the marks of transactions, which are no records.
  EXPECT_THAT(ReadAll(*source, list->splits[1]), ElementsAreArray(Numbered("b", 0, 10)));
  EXPECT_THAT(ReadAll(*source, list->splits[2]), IsEmpty());
  // Another owner reads the range the same, and adds nothing.
  auto other = MakeSourceOf(topic, {{"end", "latest"}});
  other->Resume();
  const auto again = other->ListSplits();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->complete);
  EXPECT_THAT(again->splits, IsEmpty());
  auto range = (*other->OpenSplit(topic + "-0", "0/500"))->Read("0/500", "500/500");
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_EQ(Drain(**range).size(), 500u);
}

TEST_F(KafkaBounds, EndsAtOffsetsAndTimes) {
  const std::string topic = NewTopic(2);
  Produce(topic, 0, Numbered("a", 0, 10), 1'000'000);
  Produce(topic, 0, Numbered("b", 0, 10), 2'000'000);
  Produce(topic, 1, Numbered("c", 0, 5), 1'000'000);
  auto by_offset = MakeSourceOf(topic, {{"end", "offsets:" + topic + ":0=3"}});
  auto list = by_offset->ListSplits();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_THAT(ReadAll(*by_offset, list->splits[0]), ElementsAreArray(Numbered("a", 0, 3)));
  EXPECT_THAT(ReadAll(*by_offset, list->splits[1]), ElementsAreArray(Numbered("c", 0, 5)));
  auto by_time = MakeSourceOf(topic, {{"end", "timestamp:1500000"}});
  list = by_time->ListSplits();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_THAT(ReadAll(*by_time, list->splits[0]), ElementsAreArray(Numbered("a", 0, 10)));
  EXPECT_THAT(ReadAll(*by_time, list->splits[1]), ElementsAreArray(Numbered("c", 0, 5)));
  EXPECT_THAT(ErrorOfOptions({{"topics", topic}, {"end", "earliest"}}), HasSubstr("before every record"));
  EXPECT_THAT(ErrorOfOptions({{"topics", topic}, {"end", "latst"}}), HasSubstr("did you mean 'latest'"));
}

TEST_F(KafkaBounds, SkipsToTheEarliestThatIsLeft) {
  const std::string topic = NewTopic(1);
  Produce(topic, 0, Numbered("r", 0, 100));
  DeleteRecordsBefore(topic, 0, 40);
  auto source = MakeSourceOf(topic, {{"out_of_range", "earliest"}});
  auto reader = *source->OpenSplit(topic + "-0", "10");
  std::string position = "10";
  EXPECT_THAT(Values(Collect(*reader, position, 60)), ElementsAreArray(Numbered("r", 40, 100)));
  EXPECT_EQ(position, "100");
  // The range of what was skipped has no records, whoever reads it again; the one behind it has its own.
  auto other = MakeSourceOf(topic, {{"out_of_range", "earliest"}});
  auto again = *other->OpenSplit(topic + "-0", "10");
  auto skipped = again->Read("10", "40~");
  ASSERT_TRUE(skipped.ok()) << skipped.status();
  EXPECT_THAT(Drain(**skipped), IsEmpty());
  auto rest = again->Read("40~", "100");
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(Drain(**rest).size(), 60u);
  // Records of a range that was read once are never skipped.
  DeleteRecordsBefore(topic, 0, 70);
  EXPECT_EQ(again->Read("40~", "100").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(KafkaBounds, SkipsToTheLatest) {
  const std::string topic = NewTopic(1);
  Produce(topic, 0, Numbered("r", 0, 100));
  DeleteRecordsBefore(topic, 0, 40);
  auto source = MakeSourceOf(topic, {{"out_of_range", "latest"}});
  auto reader = *source->OpenSplit(topic + "-0", "10");
  std::string position = "10";
  ASSERT_TRUE(Eventually([&] {
    auto range = reader->Close(position, 0);
    if (range.ok()) position = range->end;
    return position != "10";
  }));
  EXPECT_EQ(position, "100~");
  EXPECT_THAT(source->Problem(), HasSubstr("offsets 10 to 100 were gone and have been skipped"));
  Produce(topic, 0, {"new"});
  EXPECT_THAT(Values(Collect(*reader, position, 1)), ElementsAre("new"));
}

TEST_F(KafkaBounds, AGroupFollows) {
  const std::string topic = NewTopic(1);
  Produce(topic, 0, Numbered("r", 0, 100));
  auto source = MakeSourceOf(topic, {{"group", topic + "-lag"}});
  auto reader = *source->OpenSplit(topic + "-0", "0");
  std::string position = "0";
  Collect(*reader, position, 100);
  reader->Forget("60");
  EXPECT_TRUE(Eventually([&] { return CommittedOffset(topic + "-lag", topic, 0) == 60; }));
}

}  // namespace
}  // namespace millrace
