#include "tests/connectors/kafka_fixture.h"
#include "tests/common/eventually.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace millrace {
namespace {

constexpr int kTimeoutMs = 15'000;

void Must(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "kafka fixture: %s failed\n", what.c_str());
  std::abort();
}
void Must(rd_kafka_error_t* error, const std::string& what) {
  Must(error == nullptr, error == nullptr ? what : what + ": " + rd_kafka_error_string(error));
}

rd_kafka_t* NewClient(rd_kafka_type_t type, const std::vector<std::pair<const char*, std::string>>& settings) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 256> why{};
  for (const auto& [name, value] : settings) {
    Must(rd_kafka_conf_set(conf, name, value.c_str(), why.data(), why.size()) == RD_KAFKA_CONF_OK, why.data());
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, why.data(), why.size());
  Must(client != nullptr, why.data());
  return client;
}

// Runs an admin request and waits for its event, which must not be an error.
void Admin(rd_kafka_t* client, const std::string& what, const std::function<void(rd_kafka_queue_t*)>& request) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  request(queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kTimeoutMs);
  Must(event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR, what);
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
}

void Send(rd_kafka_t* client, const std::string& topic, int partition, const std::string& value, std::int64_t time_ms) {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  // A producer learns of a new partition only when it refreshes its metadata.
  Must(Eventually([&] {
         error = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                                   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                   RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                                   RD_KAFKA_V_TIMESTAMP(time_ms), RD_KAFKA_V_END);
         return error != RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
       }) &&
           error == RD_KAFKA_RESP_ERR_NO_ERROR,
       std::string("produce: ") + rd_kafka_err2str(error));
}

}  // namespace

std::vector<std::string> Numbered(const std::string& prefix, int from, int to) {
  std::vector<std::string> values;
  for (int i = from; i < to; ++i) values.push_back(prefix + std::to_string(i));
  return values;
}

void KafkaTest::SetUp() {
  const char* brokers = std::getenv("MILLRACE_TEST_BROKERS");
  if (brokers == nullptr) GTEST_SKIP() << "MILLRACE_TEST_BROKERS is not set; see scripts/servers/README.md";
  brokers_ = brokers;
  producer_ = NewClient(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers_},
                                            {"linger.ms", "0"},
                                            {"acks", "all"},
                                            {"topic.metadata.refresh.interval.ms", "200"}});
}

void KafkaTest::TearDown() {
  if (producer_ != nullptr) rd_kafka_destroy(producer_);
}

std::string KafkaTest::NewTopic(int partitions, const std::vector<std::pair<std::string, std::string>>& config) {
  static std::atomic<int> counter = 0;
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::string name = "mr-test-" + std::to_string(now) + "-" + std::to_string(counter++);
  MakeTopic(name, partitions, config);
  return name;
}

void KafkaTest::MakeTopic(const std::string& name, int partitions,
                          const std::vector<std::pair<std::string, std::string>>& config) {
  std::array<char, 256> why{};
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name.c_str(), partitions, 1, why.data(), why.size());
  for (const auto& [key, value] : config) rd_kafka_NewTopic_set_config(topic, key.c_str(), value.c_str());
  rd_kafka_NewTopic_t* topics[1] = {topic};
  Admin(producer_, "create topic",
        [&](rd_kafka_queue_t* queue) { rd_kafka_CreateTopics(producer_, topics, 1, nullptr, queue); });
  rd_kafka_NewTopic_destroy(topic);
}

std::int64_t KafkaTest::CommittedOffset(const std::string& group, const std::string& topic, int partition) {
  rd_kafka_t* client = NewClient(RD_KAFKA_CONSUMER, {{"bootstrap.servers", brokers_}, {"group.id", group}});
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
  Must(rd_kafka_committed(client, list, kTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR, "asking for committed offsets");
  const std::int64_t offset = list->elems[0].offset;
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(client);
  return offset < 0 ? -1 : offset;
}

int KafkaTest::PartitionsOf(const std::string& topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(producer_, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  Must(rd_kafka_metadata(producer_, 0, handle, &metadata, kTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR, "metadata");
  const int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(handle);
  return count;
}

void KafkaTest::AddPartitions(const std::string& topic, int total) {
  std::array<char, 256> why{};
  rd_kafka_NewPartitions_t* more =
      rd_kafka_NewPartitions_new(topic.c_str(), static_cast<std::size_t>(total), why.data(), why.size());
  Admin(producer_, "add partitions",
        [&](rd_kafka_queue_t* queue) { rd_kafka_CreatePartitions(producer_, &more, 1, nullptr, queue); });
  rd_kafka_NewPartitions_destroy(more);
}

void KafkaTest::DeleteRecordsBefore(const std::string& topic, int partition, std::int64_t offset) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = offset;
  rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(list);
  Admin(producer_, "delete records",
        [&](rd_kafka_queue_t* queue) { rd_kafka_DeleteRecords(producer_, &request, 1, nullptr, queue); });
  rd_kafka_DeleteRecords_destroy(request);
  rd_kafka_topic_partition_list_destroy(list);
}

void KafkaTest::Produce(const std::string& topic, int partition, const std::vector<std::string>& values,
                        std::int64_t timestamp_ms) {
  for (const std::string& value : values) Send(producer_, topic, partition, value, timestamp_ms);
  Must(rd_kafka_flush(producer_, kTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR, "flush");
}

void KafkaTest::ProduceTransactions(const std::string& topic, int partition,
                                    const std::vector<std::pair<std::vector<std::string>, bool>>& transactions) {
  rd_kafka_t* client = NewClient(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers_}, {"transactional.id", topic}});
  Must(rd_kafka_init_transactions(client, kTimeoutMs), "init_transactions");
  for (const auto& [values, commit] : transactions) {
    Must(rd_kafka_begin_transaction(client), "begin_transaction");
    for (const std::string& value : values) Send(client, topic, partition, value, 0);
    Must(rd_kafka_flush(client, kTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR, "flush");
    Must(commit ? rd_kafka_commit_transaction(client, kTimeoutMs) : rd_kafka_abort_transaction(client, kTimeoutMs),
         "end");
  }
  rd_kafka_destroy(client);
}

std::vector<std::string> KafkaTest::ReadCommitted(const std::string& topic, int partitions) {
  rd_kafka_t* client = NewClient(RD_KAFKA_CONSUMER, {{"bootstrap.servers", brokers_},
                                                     {"group.id", "mr-test-reader"},
                                                     {"enable.auto.commit", "false"},
                                                     {"enable.partition.eof", "true"},
                                                     {"isolation.level", "read_committed"}});
  rd_kafka_poll_set_consumer(client);
  std::vector<std::string> all;
  for (int p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (bool ended = false; !ended;) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(client, kTimeoutMs);
      Must(message != nullptr, "reading back");
      ended = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        std::string text(static_cast<const char*>(message->payload), message->len);
        if (message->key != nullptr) {
          text = std::string(static_cast<const char*>(message->key), message->key_len) + "=" + text;
        }
        all.push_back(std::move(text));
      }
      rd_kafka_message_destroy(message);
    }
  }
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  return all;
}

std::unique_ptr<Source> KafkaTest::MakeSourceOf(const std::string& topics, engine::Options more) {
  more.insert({{"brokers", brokers_}, {"topics", topics}});
  if (const char* fetch = std::getenv("MILLRACE_TEST_KAFKA_FETCH"); fetch != nullptr) more.insert({"fetch", fetch});
  auto source = MakeSource(Describe("kafka", std::move(more)), {"j1"});
  EXPECT_TRUE(source.ok()) << source.status();
  return std::move(*source);
}

}  // namespace millrace
