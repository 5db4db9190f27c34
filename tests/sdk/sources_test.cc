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
                   .fetch = KafkaFetch::kLibrdkafka,
                   .rdkafka = {{"fetch.min.bytes", "9"}}})
        .Print();
  });
  EXPECT_EQ(source.options.at("start"), "offsets:a:0=5,a:1=0");
  EXPECT_EQ(source.options.at("isolation"), "read_uncommitted");
  EXPECT_EQ(source.options.at("discovery_interval_ms"), "2000");
  EXPECT_EQ(source.options.at("max_records_per_batch"), "10");
  EXPECT_EQ(source.options.at("fetch"), "librdkafka");
  EXPECT_EQ(source.options.at("rdkafka.fetch.min.bytes"), "9");
  EXPECT_EQ(KafkaStart::Timestamp(std::chrono::sys_time<std::chrono::milliseconds>(77ms)).text(), "timestamp:77");
  EXPECT_EQ(KafkaStart::Latest().text(), "latest");
}

TEST(SourcesTest, RabbitMqOptionsByName) {
  const auto source = Source([](JobContext& ctx) {
    ctx.RabbitMqText({.server = {.hosts = {"h"}, .username = "u", .password_file = "/p", .heartbeat = 3s},
                      .queues = {"q", "r"},
                      .receivers = 2,
                      .exchange = "e",
                      .binding_keys = {"a", "b.#"}})
        .Print();
  });
  EXPECT_EQ(source.connector, "rabbitmq");
  EXPECT_TRUE(source.replayable);
  EXPECT_EQ(source.options.at("hosts"), "h");
  EXPECT_EQ(source.options.at("username"), "u");
  EXPECT_EQ(source.options.at("password_file"), "/p");
  EXPECT_EQ(source.options.at("heartbeat_ms"), "3000");
  EXPECT_EQ(source.options.at("queues"), "q,r");
  EXPECT_EQ(source.options.at("receivers"), "2");
  EXPECT_EQ(source.options.at("prefetch_count"), "1000");
  EXPECT_EQ(source.options.at("max_message_bytes"), "16777216");
  EXPECT_EQ(source.options.at("binding_keys"), "a,b.#");
}

TEST(SourcesTest, KafkaEndsSkipsAndProvesItself) {
  const auto source = Source([](JobContext& ctx) {
    ctx.KafkaText({.brokers = "h",
                   .topic_pattern = "clicks-.*",
                   .end = KafkaEnd::Latest(),
                   .out_of_range = KafkaOutOfRange::kEarliest,
                   .group = "lag",
                   .security = {.tls = true,
                                .ca = "/ca.pem",
                                .sasl = KafkaSasl::kScramSha256,
                                .username = "u",
                                .password_file = "/secret"}})
        .Print();
  });
  EXPECT_TRUE(source.bounded);
  const Options expected = {{"topic_pattern", "clicks-.*"},
                            {"end", "latest"},
                            {"out_of_range", "earliest"},
                            {"group", "lag"},
                            {"tls", "true"},
                            {"ca", "/ca.pem"},
                            {"sasl", "SCRAM-SHA-256"},
                            {"username", "u"},
                            {"password_file", "/secret"}};
  for (const auto& [name, value] : expected) EXPECT_EQ(source.options.at(name), value) << name;
  EXPECT_EQ(KafkaEnd::Offsets({{"a", 0, 5}}).text(), "offsets:a:0=5");
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
  EXPECT_EQ(socket.options, (Options{{"hosts", "h:9"},
                                     {"framing", "newline"},
                                     {"max_record_bytes", "1048576"},
                                     {"too_long", "cut"},
                                     {"reliable", "false"},
                                     {"tls", "false"},
                                     {"connect_timeout_ms", "5000"},
                                     {"keepalive_ms", "30000"},
                                     {"idle_timeout_ms", "0"}}));
  const auto files = Source([](JobContext& ctx) { ctx.TextFiles({.directory = "/d"}).Print(); });
  EXPECT_EQ(files.connector, "files");
  EXPECT_TRUE(files.bounded);
  EXPECT_TRUE(files.replayable);
  EXPECT_EQ(files.options,
            (Options{{"directory", "/d"}, {"pattern", "*"}, {"bounded", "true"}, {"discovery_interval_ms", "1000"}}));
  EXPECT_FALSE(Source([](JobContext& ctx) { ctx.TextFiles({.directory = "/d", .bounded = false}).Print(); }).bounded);
}

TEST(SourcesTest, SocketOptionsThatAreNotTheDefault) {
  const auto source = Source([](JobContext& ctx) {
    ctx.SocketText({.hosts = {"a:1", "[::1]:2"},
                    .framing = SocketFraming::LengthPrefixed(4),
                    .too_long = SocketTooLong::kDrop,
                    .reliable = true,
                    .tls = true,
                    .ca_file = "/ca",
                    .certificate_file = "/c",
                    .key_file = "/k",
                    .server_name = "gate",
                    .idle_timeout = 7s})
        .Print();
  });
  EXPECT_TRUE(source.replayable);
  EXPECT_TRUE(source.receiver);
  const Options expected = {
      {"hosts", "a:1,[::1]:2"}, {"framing", "length:4"},   {"too_long", "drop"},       {"reliable", "true"},
      {"tls", "true"},          {"ca_file", "/ca"},        {"key_file", "/k"},         {"certificate_file", "/c"},
      {"server_name", "gate"},  {"keepalive_ms", "30000"}, {"idle_timeout_ms", "7000"}};
  for (const auto& [name, value] : expected) EXPECT_EQ(source.options.at(name), value) << name;
  EXPECT_EQ(SocketFraming::Delimiter('\xff').text(), "delimiter:255");
  EXPECT_THROW(SocketFraming::LengthPrefixed(3), std::invalid_argument);
  const auto address = Source([](JobContext& ctx) { ctx.SocketText({.host = "::1", .port = 2}).Print(); });
  EXPECT_EQ(address.options.at("hosts"), "[::1]:2");
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

// What a job whose source is operator 0 prints of one record.
std::string PrintedOf(Harness& job) {
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
  return output.text;
}

template <class T>
std::string Everything(const T& record) {
  std::string text = TextOf(record) + " " + TextOf(record.timestamp.time_since_epoch().count());
  for (const engine::Header& header : record.headers) text += " " + std::string(header.name);
  return text;
}

TEST(SourcesTest, KafkaRecordsHaveEverything) {
  Harness job(
      [](JobContext& ctx) { ctx.Kafka({.brokers = "h", .topics = {"t"}}).Map(Everything<KafkaRecord>).Print(); });
  EXPECT_EQ(PrintedOf(job), "t/3@12 k = v 1000 trace");
}

TEST(SourcesTest, MessagesHaveEverything) {
  Harness rabbitmq([](JobContext& ctx) {
    ctx.RabbitMq({.server = {.hosts = {"h"}}, .queues = {"q"}}).Map(Everything<Message>).Print();
  });
  EXPECT_EQ(PrintedOf(rabbitmq), "t k = v 1000 trace");
  Harness flume([](JobContext& ctx) { ctx.Flume({.port = 1}).Map(Everything<Message>).Print(); });
  EXPECT_EQ(PrintedOf(flume), "t k = v 1000 trace");
}

TEST(SourcesTest, FlumeNeedsAPort) {
  EXPECT_THROW(Source([](JobContext& ctx) { ctx.Flume({}).Print(); }), std::invalid_argument);
}

}  // namespace
}  // namespace millrace
