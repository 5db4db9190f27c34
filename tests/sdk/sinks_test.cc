// What each output is called in the plan, and the rows and calls that it makes.
#include "millrace/sinks.h"

#include <gtest/gtest.h>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using engine::Options;
using Texts = std::vector<std::string>;

TEST(SinksTest, PrintShowsTheFirstOfEachPartitionAndHowManyThereWere) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Print(2); });
  job.chunk = 2;
  job.Feed(0, {{"a", "b", "c", "d", "e"}, {"f", "g"}, {"h"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(1), (Texts{"a", "b", "total => 5", "f", "g", "h"}));
  EXPECT_EQ(job.graph().operators[1].connector, "console");
  EXPECT_EQ(job.graph().operators[1].options, (Options{{"limit", "2"}}));
  EXPECT_FALSE(job.graph().stages[0].runs_empty);
}

TEST(SinksTest, PrintOfNothing) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Print(0); });
  job.Feed(0, {{"a", "b"}, {}});
  job.RunBatch();
  EXPECT_EQ(job.texts(1), Texts{"total => 2"});
}

TEST(SinksTest, KafkaRowsHaveKeyAndValue) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    lines.ToKafka({.brokers = "h", .topic = "t"});
    lines.Map([](std::string_view t) { return std::pair(t, t.size()); })
        .ToKafka({.brokers = "h", .topic = "t", .exactly_once = false, .rdkafka = {{"linger.ms", "5"}}});
    lines.ToKafka({.brokers = "h", .topic = "t"}, [](std::string_view t) { return std::string(t) + "!"; });
    lines.ToKafka({.brokers = "h", .topic = "t"}, [](std::string_view t) {
      return t == "a" ? KafkaOutput{"", "no text"} : KafkaOutput{std::nullopt, "no key"};
    });
  });
  job.Feed(0, {{"a", "bb"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(1), (Texts{"a", "bb"}));
  EXPECT_EQ(job.texts(3), (Texts{"a => 1", "bb => 2"}));
  EXPECT_EQ(job.texts(4), (Texts{"a!", "bb!"}));
  EXPECT_EQ(job.texts(5), (Texts{" => no text", "no key"}));
  EXPECT_EQ(job.graph().operators[1].connector, "kafka");
  EXPECT_EQ(job.graph().operators[1].options, (Options{{"brokers", "h"}, {"topic", "t"}, {"exactly_once", "true"}}));
  EXPECT_EQ(job.graph().operators[3].options,
            (Options{{"brokers", "h"}, {"topic", "t"}, {"exactly_once", "false"}, {"rdkafka.linger.ms", "5"}}));
}

TEST(SinksTest, RabbitMqRowsHaveRoutingKeyAndBody) {
  Harness job([](JobContext& ctx) {
    const RabbitMqServer server = {.hosts = {"a", "b:1"}};
    const auto lines = ctx.TextFiles({.directory = "d"});
    lines.ToRabbitMq({.server = server, .exchange = "e", .routing_key = "k", .mandatory = false});
    lines.Map([](std::string_view t) { return std::pair(t, t.size()); }).ToRabbitMq({.server = server});
    lines.ToRabbitMq({.server = server}, [](std::string_view t) {
      return t == "a" ? RabbitMqOutput{"key", "body"} : RabbitMqOutput{std::nullopt, "no key"};
    });
  });
  job.Feed(0, {{"a", "bb"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(1), (Texts{"a", "bb"}));
  EXPECT_EQ(job.texts(3), (Texts{"a => 1", "bb => 2"}));
  EXPECT_EQ(job.texts(4), (Texts{"key => body", "no key"}));
  const engine::OperatorDescription& sink = job.graph().operators[1];
  EXPECT_EQ(sink.connector, "rabbitmq");
  EXPECT_EQ(sink.options, (Options{{"hosts", "a,b:1"},
                                   {"virtual_host", "/"},
                                   {"username", "guest"},
                                   {"password_file", ""},
                                   {"tls", "false"},
                                   {"ca_file", ""},
                                   {"certificate_file", ""},
                                   {"key_file", ""},
                                   {"heartbeat_ms", "10000"},
                                   {"connect_timeout_ms", "5000"},
                                   {"exchange", "e"},
                                   {"routing_key", "k"},
                                   {"mandatory", "false"},
                                   {"content_type", ""}}));
}

TEST(SinksTest, FileRowsAreLines) {
  Harness job([](JobContext& ctx) {
    const auto pairs = ctx.TextFiles({.directory = "d"}).Map([](std::string_view t) { return std::pair(t, 1); });
    pairs.ToFiles({.directory = "out"});
    pairs.ToFiles({.directory = "out", .suffix = ".tsv"}, [](const auto& p) { return std::string(p.first) + "\t1"; });
  });
  job.Feed(0, {{"a", "bb"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), (Texts{"(a, 1)", "(bb, 1)"}));
  EXPECT_EQ(job.texts(3), (Texts{"a\t1", "bb\t1"}));
  EXPECT_EQ(job.graph().operators[2].options, (Options{{"directory", "out"}, {"suffix", ".txt"}}));
  EXPECT_EQ(job.graph().operators[3].options.at("suffix"), ".tsv");
}

struct Call {
  BatchContext batch;
  Texts rows;
};

TEST(SinksTest, ForEachBatchGetsEveryPartitionAlsoTheEmptyOnes) {
  const auto calls = std::make_shared<std::vector<Call>>();
  Harness job([&](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .ForEachBatch([calls](const BatchContext& batch, std::span<const std::string_view> rows) {
          calls->push_back({batch, Texts(rows.begin(), rows.end())});
        });
  });
  EXPECT_EQ(job.graph().operators[1].connector, "function");
  EXPECT_TRUE(job.graph().stages[0].runs_empty);
  job.Feed(0, {{"a", "a long text that has its own memory, gone when the task has finished"}, {}});
  job.batch = 41;
  job.RunBatch();
  ASSERT_EQ(calls->size(), 2u);
  EXPECT_EQ((*calls)[0].rows, (Texts{"a", "a long text that has its own memory, gone when the task has finished"}));
  EXPECT_EQ((*calls)[1].rows, Texts{});
  EXPECT_EQ((*calls)[0].batch.job, "test");
  EXPECT_EQ((*calls)[0].batch.batch, 41u);
  EXPECT_EQ((*calls)[1].batch.partition, 1u);
  EXPECT_EQ((*calls)[1].batch.fence, 7u);
  EXPECT_EQ((*calls)[1].batch.time.time_since_epoch().count(), job.time_us);
}

TEST(SinksTest, ForEachBatchOfOwnedRecordsAndAgain) {
  const auto seen = std::make_shared<Texts>();
  Harness job([&](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"}).CountByValue(1).ForEachBatch([seen](const BatchContext&, const auto& rows) {
      for (const auto& row : rows) seen->push_back(TextOf(row));
    });
  });
  job.Feed(0, {{"a", "b"}, {"a"}});
  job.RunBatch();
  EXPECT_EQ(*seen, (Texts{"(a, 2)", "(b, 1)"}));
  job.Feed(0, {});
  job.RunBatch();
  EXPECT_EQ(seen->size(), 2u);
}

TEST(SinksTest, KafkaRecordsCanBeKept) {
  const auto sizes = std::make_shared<std::vector<std::size_t>>();
  Harness job([&](JobContext& ctx) {
    ctx.Kafka({.brokers = "h", .topics = {"t"}})
        .ForEachBatch([sizes](const BatchContext&, std::span<const KafkaRecord> rows) {
          for (const KafkaRecord& row : rows) sizes->push_back(row.value.size());
        });
  });
  job.Feed(0, {{"abc", "de"}});
  job.RunBatch();
  EXPECT_EQ(*sizes, (std::vector<std::size_t>{3, 2}));
}

}  // namespace
}  // namespace millrace
