// What each source is called in the plan, and what becomes of the connector's records.
#include "millrace/sources.h"

#include <gtest/gtest.h>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using engine::Options;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;

engine::OperatorDescription Source(const Harness::Body& body) { return Harness(body).graph().operators[0]; }

TEST(SourcesTest, KafkaOptionsByName) {
  const auto source = Source([](JobContext& ctx) {
    ctx.Kafka({.brokers = "h:1,i:2", .topics = {"a", "b"}}).Count().Print();
  });
  EXPECT_EQ(source.connector, "kafka");
  EXPECT_EQ(source.options, (Options{{"brokers", "h:1,i:2"},
                                     {"topics", "a,b"},
                                     {"start", "earliest"},
                                     {"isolation", "read_committed"},
                                     {"discovery_interval_ms", "5000"},
                                     {"max_records_per_batch", "0"}}));
  EXPECT_TRUE(source.replayable);
  EXPECT_FALSE(source.bounded);
  EXPECT_EQ(source.name, "Kafka");
  EXPECT_EQ(source.output_type, "millrace::KafkaRecord");
}

TEST(SourcesTest, KafkaOptionsThatAreNotTheDefault) {
  const auto source = Source([](JobContext& ctx) {
    ctx.KafkaText({.brokers = "h",
                   .topics = {"a"},
                   .start = KafkaStart::Offsets({{"a", 0, 5}, {"a", 1, 0}}),
                   .read_committed = false,
                   .discovery_interval = 2s,
                   .max_records_per_batch = 10,
                   .rdkafka = {{"fetch.min.bytes", "9"}}})
        .Print();
  });
  EXPECT_EQ(source.options.at("start"), "offsets:a:0=5,a:1=0");
  EXPECT_EQ(source.options.at("isolation"), "read_uncommitted");
  EXPECT_EQ(source.options.at("discovery_interval_ms"), "2000");
  EXPECT_EQ(source.options.at("max_records_per_batch"), "10");
  EXPECT_EQ(source.options.at("rdkafka.fetch.min.bytes"), "9");
  EXPECT_EQ(KafkaStart::Timestamp(std::chrono::sys_time<std::chrono::milliseconds>(77ms)).text(), "timestamp:77");
  EXPECT_EQ(KafkaStart::Latest().text(), "latest");
}

TEST(SourcesTest, OtherOptionsByName) {
  const auto generator = Source([](JobContext& ctx) { ctx.GeneratorText({.rate = 7, .count = 9}).Print(); });
  EXPECT_EQ(generator.connector, "generator");
  EXPECT_TRUE(generator.bounded);
  EXPECT_EQ(generator.options,
            (Options{{"rate", "7"}, {"splits", "2"}, {"seed", "1"}, {"count", "9"}, {"max_records_per_batch", "0"}}));
  const auto socket = Source([](JobContext& ctx) { ctx.SocketText({.host = "h", .port = 9}).Print(); });
  EXPECT_EQ(socket.connector, "socket");
  EXPECT_FALSE(socket.replayable);
  EXPECT_EQ(socket.options, (Options{{"host", "h"}, {"port", "9"}, {"max_line_bytes", "1048576"}}));
  const auto files = Source([](JobContext& ctx) { ctx.TextFiles({.directory = "/d"}).Print(); });
  EXPECT_EQ(files.connector, "files");
  EXPECT_TRUE(files.bounded);
  EXPECT_TRUE(files.replayable);
  EXPECT_EQ(files.options,
            (Options{{"directory", "/d"}, {"pattern", "*"}, {"bounded", "true"}, {"discovery_interval_ms", "1000"}}));
  EXPECT_FALSE(Source([](JobContext& ctx) { ctx.TextFiles({.directory = "/d", .bounded = false}).Print(); }).bounded);
}

TEST(SourcesTest, GeneratorTextGivesTheLinesThatCheckersCompute) {
  Harness job([](JobContext& ctx) { ctx.GeneratorText({.seed = 5, .words = 3, .vocabulary = 100}).Print(1'000'000); });
  job.Feed(0, {Harness::Split(2500), Harness::Split(2500)});
  job.RunBatch();
  Texts want;
  for (std::uint64_t split = 0; split < 2; ++split) {
    for (std::uint64_t i = 0; i < 2500; ++i) want.push_back(RandomLine(i * 2 + split, 5, 3, 100));
  }
  EXPECT_EQ(job.texts(1), want);
}

TEST(SourcesTest, GeneratorCallsItsFunctionWithIndexAndSeed) {
  Harness job([](JobContext& ctx) {
    ctx.Generator({.seed = 5}, [](std::uint64_t index, std::uint64_t seed) { return index * 100 + seed; }).Print();
    ctx.Generator<std::string>({}, [](std::uint64_t, std::uint64_t) { return "literal"; }).Print();
  });
  job.Feed(0, {Harness::Split(2), Harness::Split(2)});
  job.Feed(2, {Harness::Split(1)});
  job.RunBatch();
  EXPECT_EQ(job.texts(1), (Texts{"5", "205", "105", "305"}));
  EXPECT_EQ(job.texts(3), Texts{"literal"});
}

TEST(SourcesTest, KafkaRecordsHaveEverything) {
  Harness job([](JobContext& ctx) {
    ctx.Kafka({.brokers = "h", .topics = {"t"}})
        .Map([](const KafkaRecord& r) {
          std::string text = TextOf(r) + " " + TextOf(r.timestamp.time_since_epoch().count());
          for (const engine::Header& header : r.headers) text += " " + std::string(header.name);
          return text;
        })
        .Print();
  });
  struct Output : engine::TaskOutput {
    std::string text;
    void Block(std::uint32_t, std::uint32_t, std::string, std::uint64_t) override {}
    void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
    void Rows(std::uint32_t, std::span<const engine::SinkRow> rows) override { text = rows[0].value; }
  } output;
  const engine::Header header{"trace", "x"};
  engine::SourceRecord record;
  record.key = "k";
  record.value = "v";
  record.topic = "t";
  record.partition = 3;
  record.position = 12;
  record.timestamp_us = 1000;
  record.headers = &header;
  record.header_count = 1;
  const auto task = job.program().NewTask({}, output);
  task->Records({&record, 1});
  task->Finish();
  EXPECT_EQ(output.text, "t/3@12 k = v 1000 trace");
}

}  // namespace
}  // namespace millrace
