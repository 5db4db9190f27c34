// Produces the rows of one batch to one topic and counts their delivery reports. librdkafka reports a failed record
// nowhere else, so a batch counts as delivered only when as many good reports came as rows went in.
//
// One thread at a time. The buffer is bounded (queue.buffering.max.*): Produce waits for room, up to its deadline.
// The destructor gives up what is under way and does not wait for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/config.h"
#include "executor/connectors/kafka/handles.h"
#include "executor/connectors/kafka/sink_topic.h"
#include "executor/connectors/sink.h"

namespace millrace::kafka {

using Deadline = std::chrono::steady_clock::time_point;
inline Deadline After(int ms) { return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms); }
// Milliseconds until then, at least 1: librdkafka takes 0 for "do not wait at all".
int MsLeft(Deadline deadline);

class RowProducer {
 public:
  // Makes the topic when it is not there and may be made; else NotFound.
  static absl::StatusOr<std::unique_ptr<RowProducer>> New(const Config& config, const std::string& brokers,
                                                          const SinkTopic& topic);
  ~RowProducer();

  // Sends rows with the batch's time as their timestamp, so that a replay makes the same records. Forgets earlier
  // counts.
  absl::Status Produce(std::span<const engine::SinkRow> rows, std::int64_t time_us, Deadline deadline);
  // Waits until every row of the last Produce is delivered. Any row that is not makes this an error.
  absl::Status AwaitDelivered(Deadline deadline);

  // The status for a failed producer call: Aborted when a newer owner has fenced this producer.
  absl::Status Failed(std::string_view what, rd_kafka_resp_err_t error, std::string_view text);
  absl::Status Failed(std::string_view what, const Error& error);

  rd_kafka_t* handle() const { return client_->handle(); }
  Client& client() { return *client_; }
  const std::string& topic() const { return name_; }

 private:
  RowProducer(std::shared_ptr<Client> client, std::string name, Topic topic)
      : client_(std::move(client)), name_(std::move(name)), topic_(std::move(topic)) {}
  absl::Status ProduceOne(const engine::SinkRow& row, std::int64_t time_ms, Deadline deadline);

  const std::shared_ptr<Client> client_;
  const std::string name_;
  Topic topic_;
  std::uint64_t sent_ = 0;
};

}  // namespace millrace::kafka
