// A real broker for the Kafka tests: topics of the test's own, records put in and read back by plain librdkafka, apart
// from the connectors.
//
// MILLRACE_TEST_BROKERS names the broker; without it every test skips itself. Failures of the fixture's own end the
// test program.
#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/connectors/collect.h"

namespace millrace {

class KafkaTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // A topic that no other run has; `config` as "name=value".
  std::string NewTopic(int partitions, const std::vector<std::pair<std::string, std::string>>& config = {});
  void MakeTopic(const std::string& name, int partitions,
                 const std::vector<std::pair<std::string, std::string>>& config = {});
  // What a consumer group has committed; -1: nothing.
  std::int64_t CommittedOffset(const std::string& group, const std::string& topic, int partition);
  int PartitionsOf(const std::string& topic);
  void AddPartitions(const std::string& topic, int total);
  void DeleteRecordsBefore(const std::string& topic, int partition, std::int64_t offset);
  void Produce(const std::string& topic, int partition, const std::vector<std::string>& values,
               std::int64_t timestamp_ms = 0);
  // Values in transactions of their own, each committed or aborted.
  void ProduceTransactions(const std::string& topic, int partition,
                           const std::vector<std::pair<std::vector<std::string>, bool>>& transactions);
  // Every record that a read_committed reader sees now, by partition and offset, as "key=value" or "value".
  std::vector<std::string> ReadCommitted(const std::string& topic, int partitions);

  std::unique_ptr<Source> MakeSourceOf(const std::string& topics, engine::Options more = {});

  std::string brokers_;
  rd_kafka_t* producer_ = nullptr;
};

std::vector<std::string> Numbered(const std::string& prefix, int from, int to);

}  // namespace millrace
