// One librdkafka instance with its callbacks. Shared by whatever holds its messages: librdkafka wants them freed first.
//
// Callbacks run inside Poll (and other librdkafka calls that serve them) on the caller's thread; log lines come from
// librdkafka's threads. The destructor ends those threads; it waits for no broker.
//
// Thread rule: any thread, but deliveries() belongs to the one thread that produces, polls and flushes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "executor/connectors/kafka/config.h"
#include "executor/connectors/kafka/handles.h"
#include "executor/connectors/kafka/problem.h"

namespace millrace::kafka {

// Delivery reports of a producer since the last reset.
struct Deliveries {
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
  rd_kafka_resp_err_t first_error = RD_KAFKA_RESP_ERR_NO_ERROR;
};

class Client {
 public:
  // InvalidArgument, in librdkafka's words, when the configuration as a whole is wrong.
  static absl::StatusOr<std::shared_ptr<Client>> New(rd_kafka_type_t type, Config config, std::string brokers);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_t* handle() const { return handle_; }
  const std::string& brokers() const { return brokers_; }
  Problem& problem() { return problem_; }
  Deliveries& deliveries() { return deliveries_; }
  void Poll(int timeout_ms = 0) { rd_kafka_poll(handle_, timeout_ms); }

  // How many partitions a topic has. NotFound, naming `option`, when it does not exist: a topic made a moment ago may
  // take the brokers a moment to learn of, so this is said only after a second look. Unavailable when no broker
  // answers.
  absl::StatusOr<std::int32_t> PartitionCount(const std::string& topic, std::string_view option);

  // All topics that this client may see, with their partitions.
  absl::StatusOr<std::map<std::string, std::int32_t>> AllTopics();

  // "…: no broker answers: …": for a call that failed with `error`.
  absl::Status Failed(std::string_view what, rd_kafka_resp_err_t error);

 private:
  explicit Client(std::string brokers) : brokers_(std::move(brokers)) {}
  absl::StatusOr<std::int32_t> AskPartitionCount(const std::string& topic);

  static void OnError(rd_kafka_t*, int error, const char* reason, void* self);
  static void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self);
  static void OnOffsetCommit(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t*, void* self);
  static void OnLog(const rd_kafka_t*, int level, const char* facility, const char* text);

  const std::string brokers_;
  rd_kafka_t* handle_ = nullptr;
  Problem problem_;
  Deliveries deliveries_;
};

// The status for an error code: permission, missing topic, or Unavailable.
absl::Status ErrorStatus(rd_kafka_resp_err_t error, std::string_view message);

}  // namespace millrace::kafka
