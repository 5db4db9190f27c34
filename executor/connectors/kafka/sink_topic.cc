#include "executor/connectors/kafka/sink_topic.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <thread>

#include "common/log.h"
#include "common/status.h"
#include "executor/connectors/kafka/handles.h"
#include "executor/connectors/kafka/topic_names.h"

namespace millrace::kafka {
namespace {

using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Destroy<rd_kafka_NewTopic_destroy>>;

constexpr std::uint64_t kMostPartitions = 100'000;
constexpr std::uint64_t kMostReplicas = 1'000;
constexpr auto kLearnPause = std::chrono::milliseconds(20);

absl::Status ParseConfig(const OptionReader& options, std::string_view text, SinkTopic& topic) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = line.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return options.Bad("topic_config", "has the line '", line, "'; write name=value, as in retention.ms=86400000");
    }
    topic.config.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  return absl::OkStatus();
}

absl::Status CreationStatus(Client& client, const SinkTopic& topic, rd_kafka_resp_err_t error, std::string_view text) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return absl::OkStatus();
  const std::string where = Concat("kafka at ", client.brokers(), ": topic '", topic.name,
                                   "' cannot be made: ", text.empty() ? ErrorText(error) : std::string(text));
  switch (error) {
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
      return InvalidArgument(where, "; see the option topic_config");
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
      return InvalidArgument(where, "; the option replication_factor must not exceed the number of brokers");
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
      return InvalidArgument(where, "; see the option create_partitions");
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return FailedPrecondition(where, "; the brokers' policy does not allow it: make it by hand");
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return PermissionDenied(where, "; the user needs the operation CREATE on it, or make it by hand");
    default:
      return ErrorStatus(error, where);
  }
}

absl::Status AskForTopic(Client& client, const SinkTopic& topic, int timeout_ms) {
  std::array<char, 512> why{};
  const NewTopic wanted(rd_kafka_NewTopic_new(topic.name.c_str(), topic.create_partitions, topic.replication_factor,
                                              why.data(), why.size()));
  if (wanted == nullptr) return InvalidArgument("kafka: topic '", topic.name, "' cannot be made: ", why.data());
  for (const auto& [name, value] : topic.config)
    rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str());
  const Queue answers(rd_kafka_queue_new(client.handle()));
  const AdminOptions options(rd_kafka_AdminOptions_new(client.handle(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, why.data(), why.size());
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), timeout_ms, why.data(), why.size());
  rd_kafka_NewTopic_t* topics[] = {wanted.get()};
  rd_kafka_CreateTopics(client.handle(), topics, 1, options.get(), answers.get());
  const Event answer(rd_kafka_queue_poll(answers.get(), timeout_ms));
  if (answer == nullptr) return CreationStatus(client, topic, RD_KAFKA_RESP_ERR__TIMED_OUT, {});
  if (const auto error = rd_kafka_event_error(answer.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return CreationStatus(client, topic, error, rd_kafka_event_error_string(answer.get()));
  std::size_t count = 0;
  const auto* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  if (count == 0) return Internal("kafka at ", client.brokers(), ": no answer about topic '", topic.name, "'");
  const char* text = rd_kafka_topic_result_error_string(results[0]);
  return CreationStatus(client, topic, rd_kafka_topic_result_error(results[0]), text == nullptr ? "" : text);
}

}  // namespace

absl::StatusOr<SinkTopic> ParseSinkTopic(const OptionReader& options) {
  SinkTopic topic;
  MR_ASSIGN_OR_RETURN(topic.name, options.Required("topic"));
  MR_RETURN_IF_ERROR(CheckTopic(options, "topic", topic.name));
  MR_ASSIGN_OR_RETURN(const std::uint64_t partitions, options.Number("create_partitions", 0, 0, kMostPartitions));
  MR_ASSIGN_OR_RETURN(const std::uint64_t replicas, options.Number("replication_factor", 0, 0, kMostReplicas));
  topic.create_partitions = static_cast<std::int32_t>(partitions);
  topic.replication_factor = replicas == 0 ? -1 : static_cast<std::int32_t>(replicas);
  MR_RETURN_IF_ERROR(ParseConfig(options, options.Text("topic_config", ""), topic));
  return topic;
}

absl::Status EnsureTopic(Client& client, const SinkTopic& topic, std::chrono::steady_clock::time_point deadline) {
  absl::Status there = client.PartitionCount(topic.name, "topic").status();
  if (!absl::IsNotFound(there)) return there;
  if (topic.create_partitions == 0) {
    return NotFound(Message(there), "; or let the sink make it, with the option create_partitions");
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  MR_RETURN_IF_ERROR(AskForTopic(client, topic, static_cast<int>(std::max<std::int64_t>(1, left.count()))));
  log::Info("kafka: the topic is there now", {{"topic", topic.name}, {"brokers", client.brokers()}});
  // The brokers learn of a new topic one after the other.
  while (absl::IsNotFound(there) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kLearnPause);
    there = client.PartitionCount(topic.name, "topic").status();
  }
  return there;
}

}  // namespace millrace::kafka
