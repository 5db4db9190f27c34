#include "executor/connectors/kafka/client.h"

#include <array>
#include <chrono>
#include <thread>

#include "common/log.h"
#include "common/status.h"

namespace millrace::kafka {
namespace {

constexpr int kMetadataTimeoutMs = 4'000;
constexpr auto kUnknownTopicPatience = std::chrono::milliseconds(2'000);
constexpr auto kUnknownTopicPause = std::chrono::milliseconds(200);
constexpr int kLogError = 3;  // syslog's numbers

}  // namespace

absl::Status ErrorStatus(rd_kafka_resp_err_t error, std::string_view message) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return PermissionDenied(message);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return NotFound(message);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return InvalidArgument(message);
    default:
      return Unavailable(message);
  }
}

void Client::OnError(rd_kafka_t*, int error, const char* reason, void* self) {
  static_cast<Client*>(self)->problem_.Report(static_cast<rd_kafka_resp_err_t>(error), reason);
}

void Client::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
  Deliveries& deliveries = static_cast<Client*>(self)->deliveries_;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++deliveries.ok;
  } else {
    if (deliveries.failed++ == 0) deliveries.first_error = message->err;
  }
}

void Client::OnOffsetCommit(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t*, void* self) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR__NO_OFFSET) return;
  static_cast<Client*>(self)->problem_.Set(
      Concat("kafka: offsets cannot be committed for the option group: ", ErrorText(error), "; the job goes on"));
}

void Client::OnLog(const rd_kafka_t*, int level, const char* facility, const char* text) {
  // Outages are shown by Problem(); in the log they would be repeated by every client of every job.
  const log::Fields fields = {{"facility", std::string_view(facility)}, {"text", std::string_view(text)}};
  level < kLogError ? log::Error("librdkafka", fields) : log::Debug("librdkafka", fields);
}

absl::StatusOr<std::shared_ptr<Client>> Client::New(rd_kafka_type_t type, Config config, std::string brokers) {
  std::shared_ptr<Client> client(new Client(std::move(brokers)));
  rd_kafka_conf_set_opaque(config.get(), client.get());
  rd_kafka_conf_set_error_cb(config.get(), OnError);
  rd_kafka_conf_set_log_cb(config.get(), OnLog);
  if (type == RD_KAFKA_CONSUMER) rd_kafka_conf_set_offset_commit_cb(config.get(), OnOffsetCommit);
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(config.get(), OnDelivery);
  std::array<char, 512> why{};
  client->handle_ = rd_kafka_new(type, config.get(), why.data(), why.size());
  if (client->handle_ == nullptr) return InvalidArgument(std::string_view(why.data()));
  (void)config.release();  // the instance owns it now
  return client;
}

Client::~Client() {
  if (handle_ != nullptr) rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

absl::Status Client::Failed(std::string_view what, rd_kafka_resp_err_t error) {
  Poll();  // the reason may still wait in the callback queue
  const std::string problem = problem_.text();
  return ErrorStatus(error, Concat("kafka at ", brokers_, ": ", what, ": ", ErrorText(error),
                                   problem.empty() ? "" : Concat("; ", problem)));
}

absl::StatusOr<std::int32_t> Client::AskPartitionCount(const std::string& topic) {
  Topic object(rd_kafka_topic_new(handle_, topic.c_str(), nullptr));
  if (object == nullptr) return Failed(Concat("looking up topic '", topic, "'"), rd_kafka_last_error());
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(handle_, 0, object.get(), &metadata, kMetadataTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Failed(Concat("looking up topic '", topic, "'"), error);
  std::int32_t partitions = 0;
  rd_kafka_resp_err_t topic_error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  if (metadata->topic_cnt == 1) {
    partitions = metadata->topics[0].partition_cnt;
    topic_error = metadata->topics[0].err;
  }
  rd_kafka_metadata_destroy(metadata);
  if (topic_error != RD_KAFKA_RESP_ERR_NO_ERROR) return Failed(Concat("topic '", topic, "'"), topic_error);
  return partitions;
}

absl::StatusOr<std::map<std::string, std::int32_t>> Client::AllTopics() {
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(handle_, 1, nullptr, &metadata, kMetadataTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Failed("listing the topics", error);
  std::map<std::string, std::int32_t> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    // One that is just being made or deleted is seen the next time, or no more.
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) topics[topic.topic] = topic.partition_cnt;
  }
  rd_kafka_metadata_destroy(metadata);
  return topics;
}

absl::StatusOr<std::int32_t> Client::PartitionCount(const std::string& topic, std::string_view option) {
  const auto deadline = std::chrono::steady_clock::now() + kUnknownTopicPatience;
  while (true) {
    auto count = AskPartitionCount(topic);
    if (count.ok() || count.status().code() != absl::StatusCode::kNotFound) return count;
    if (std::chrono::steady_clock::now() >= deadline) {
      return NotFound("topic '", topic, "' does not exist at ", brokers_, "; create it or correct the option ", option);
    }
    std::this_thread::sleep_for(kUnknownTopicPause);
  }
}

}  // namespace millrace::kafka
