#include "executor/connectors/options.h"

#include <gmock/gmock.h>

#include "tests/connectors/collect.h"

namespace millrace {
namespace {

std::string SourceError(std::string connector, engine::Options options) {
  return ErrorOf(MakeSource(Describe(std::move(connector), std::move(options)), {"j1"}));
}
std::string SinkError(std::string connector, engine::Options options) {
  return ErrorOf(MakeSink(Describe(std::move(connector), std::move(options))));
}

TEST(ConnectorNames, UnknownSourceNamesTheNearest) {
  EXPECT_EQ(SourceError("kafak", {}),
            "source 'x' (kafak): there is no source connector 'kafak', did you mean 'kafka'?");
  EXPECT_EQ(SourceError("pulsar", {}),
            "source 'x' (pulsar): there is no source connector 'pulsar'; there are kafka, generator, socket, files, "
            "rabbitmq, "
            "flume, custom, custom_receiver");
}

TEST(ConnectorNames, UnknownSinkNamesTheNearest) {
  EXPECT_EQ(SinkError("file", {}), "sink 'x' (file): there is no sink connector 'file', did you mean 'files'?");
}

TEST(ConnectorOptions, UnknownOptionNamesValueAndNearest) {
  EXPECT_EQ(SourceError("generator", {{"spits", "4"}}),
            "source 'x' (generator): unknown option 'spits' (value '4'), did you mean 'splits'?");
  EXPECT_EQ(SinkError("files", {{"directory", "/d"}, {"format", "csv"}}),
            "sink 'x' (files): unknown option 'format' (value 'csv'); it takes directory, suffix, compression, "
            "s3_endpoint, s3_region, s3_credentials_file and s3_ca_file");
}

TEST(ConnectorOptions, MissingOptionIsNamed) {
  EXPECT_EQ(SourceError("kafka", {}), "source 'x' (kafka): option brokers is missing; it has no default");
  EXPECT_EQ(SourceError("kafka", {{"brokers", ""}}), "source 'x' (kafka): option brokers must not be empty");
  EXPECT_EQ(SinkError("files", {}), "sink 'x' (files): option directory is missing; it has no default");
}

TEST(ConnectorOptions, BadNumbersNameRangeAndNearest) {
  EXPECT_EQ(SourceError("generator", {{"splits", "two"}}),
            "source 'x' (generator): option splits must be a whole number from 1 to 10000, not 'two'");
  EXPECT_EQ(SourceError("socket", {{"hosts", "h:1"}, {"connect_timeout_ms", "700000"}}),
            "source 'x' (socket): option connect_timeout_ms must be from 100 to 120000, not '700000'; the nearest is "
            "120000");
}

TEST(ConnectorOptions, BadWordsNameTheNearest) {
  EXPECT_EQ(SourceError("files", {{"directory", "/d"}, {"bounded", "ture"}}),
            "source 'x' (files): option bounded must be true or false, not 'ture', did you mean 'true'?");
  EXPECT_EQ(
      SourceError("kafka", {{"brokers", "b"}, {"topics", "t"}, {"isolation", "read_comitted"}}),
      "source 'x' (kafka): option isolation must be read_committed or read_uncommitted, not 'read_comitted', did you "
      "mean 'read_committed'?");
}

TEST(KafkaOptions, TopicsAreChecked) {
  EXPECT_EQ(SourceError("kafka", {{"brokers", "b"}, {"topics", "a,b!"}}),
            "source 'x' (kafka): option topics has 'b!', which is no topic name: 1 to 249 of the characters a-z A-Z "
            "0-9 . _ -");
  EXPECT_EQ(SourceError("kafka", {{"brokers", "b"}, {"topics", "a, a"}}),
            "source 'x' (kafka): option topics names topic 'a' twice");
}

TEST(KafkaOptions, WhoFetchesIsChecked) {
  const auto error = [](engine::Options more) {
    more.insert({{"brokers", "h:1"}, {"topics", "t"}});
    return ErrorOf(MakeSource(Describe("kafka", more), {"j1"}));
  };
  EXPECT_THAT(error({{"fetch", "me"}}), testing::HasSubstr("option fetch"));
  EXPECT_THAT(error({{"fetch", "direct"}, {"tls", "true"}, {"rdkafka.ssl.cipher.suites", "DEFAULT"}}),
              testing::HasSubstr("is direct, but rdkafka.ssl.cipher.suites is known to librdkafka alone"));
  EXPECT_EQ(error({{"fetch", "auto"}, {"tls", "true"}, {"rdkafka.ssl.cipher.suites", "DEFAULT"}}), "OK");
  EXPECT_EQ(error({{"fetch", "direct"}, {"tls", "true"}}), "OK");
}

TEST(KafkaOptions, ATopicToBeMadeIsChecked) {
  const engine::Options base = {{"brokers", "h:1"}, {"topic", "t"}};
  const auto error = [&](const char* name, const char* value) {
    engine::Options options = base;
    options[name] = value;
    return ErrorOf(MakeSink(Describe("kafka", options)));
  };
  EXPECT_THAT(error("create_partitions", "many"), testing::HasSubstr("option create_partitions"));
  EXPECT_THAT(error("replication_factor", "2000"), testing::HasSubstr("option replication_factor"));
  EXPECT_THAT(error("topic_config", "cleanup.policy"),
              testing::HasSubstr("has the line 'cleanup.policy'; write name=value"));
  engine::Options good = base;
  good["topic_config"] = "cleanup.policy=compact,delete\nretention.ms=1\n";
  EXPECT_TRUE(MakeSink(Describe("kafka", good)).ok());
}

TEST(KafkaOptions, StartIsChecked) {
  const auto error = [](std::string start) {
    return SourceError("kafka", {{"brokers", "b"}, {"topics", "clicks"}, {"start", std::move(start)}});
  };
  EXPECT_EQ(error("earlyest"),
            "source 'x' (kafka): option start must be earliest, latest, timestamp:<ms> or "
            "offsets:<topic>:<partition>=<offset>,…, not 'earlyest', did you mean 'earliest'?");
  EXPECT_EQ(error("timestamp:now"),
            "source 'x' (kafka): option start must be timestamp:<milliseconds since 1970>, not 'timestamp:now'");
  EXPECT_EQ(
      error("offsets:clicks:0=1,click:1=2"),
      "source 'x' (kafka): option start names topic 'click', which is not among the topics, did you mean 'clicks'?");
  EXPECT_EQ(
      error("offsets:clicks:0=-1"),
      "source 'x' (kafka): option start must list offsets as offsets:<topic>:<partition>=<offset>,…; 'clicks:0=-1' is "
      "not one");
  EXPECT_EQ(error("offsets:clicks:0=1,clicks:0=2"),
            "source 'x' (kafka): option start names partition 0 of topic 'clicks' twice");
  EXPECT_EQ(error("offsets:"), "source 'x' (kafka): option start is 'offsets:' without an offset");
}

TEST(KafkaOptions, LibrdkafkaJudgesItsOwnProperties) {
  const auto error = [](std::string name, std::string value) {
    return SourceError("kafka", {{"brokers", "b"}, {"topics", "t"}, {"rdkafka." + name, std::move(value)}});
  };
  EXPECT_EQ(error("fetch.min.byte", "1"),
            "source 'x' (kafka): option rdkafka.fetch.min.byte has the value '1': No such configuration property: "
            "\"fetch.min.byte\", did you mean 'fetch.min.bytes'?");
  EXPECT_EQ(error("fetch.min.bytes", "lots"),
            "source 'x' (kafka): option rdkafka.fetch.min.bytes has the value 'lots': Invalid value for configuration "
            "property \"fetch.min.bytes\"");
  EXPECT_EQ(error("fetch.min.bytes", "2"), "OK");
  EXPECT_THAT(error("ssl.ca.location", "/ca.pem"), testing::HasSubstr("use the option ca")) << "security has options";
}

TEST(KafkaOptions, WhatWouldBreakExactnessIsRefused) {
  for (const char* name : {"enable.auto.commit", "auto.offset.reset", "isolation.level", "group.id"}) {
    const std::string error =
        SourceError("kafka", {{"brokers", "b"}, {"topics", "t"}, {std::string("rdkafka.") + name, "v"}});
    EXPECT_NE(error.find(std::string("option rdkafka.") + name + " (value 'v') cannot be set: "), std::string::npos)
        << error;
  }
  EXPECT_EQ(SinkError("kafka", {{"brokers", "b"}, {"topic", "t"}, {"rdkafka.acks", "1"}}),
            "sink 'x' (kafka): option rdkafka.acks (value '1') cannot be set: the sink needs every record acknowledged "
            "by all "
            "replicas and retried without repetition");
}

TEST(KafkaOptions, PropertiesThatDoNotFitTogetherAreRefused) {
  const std::string error = SinkError("kafka", {{"brokers", "b"}, {"topic", "t"}, {"rdkafka.linger.ms", "40000"}});
  EXPECT_NE(error.find("the rdkafka options do not fit together"), std::string::npos) << error;
}

TEST(FilesSinkOptions, SuffixCannotBeMistakenForABatch) {
  EXPECT_EQ(
      SinkError("files", {{"directory", "/d"}, {"suffix", "7.txt"}}),
      "sink 'x' (files): option suffix must not begin with a digit, as '7.txt' does: it follows the batch number");
  EXPECT_EQ(SinkError("files", {{"directory", "/d"}, {"suffix", "/.."}}),
            "sink 'x' (files): option suffix must not contain '/', as '/..' does");
}

}  // namespace
}  // namespace millrace
