#include "executor/connectors/kafka/row_producer.h"

#include <algorithm>
#include <array>

#include "common/status.h"

namespace millrace::kafka {
namespace {

constexpr int kFullQueuePollMs = 20;
constexpr int kTopicMs = 20'000;
constexpr std::uint64_t kPollEvery = 4096;

rd_kafka_vu_t Bytes(rd_kafka_vtype_t type, std::string_view text) {
  rd_kafka_vu_t argument{};
  argument.vtype = type;
  // An empty text is a value of no bytes; a null pointer would be a tombstone.
  argument.u.mem.ptr = const_cast<char*>(text.data() == nullptr ? "" : text.data());
  argument.u.mem.size = text.size();
  return argument;
}

}  // namespace

int MsLeft(Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(1, left.count()));
}

absl::StatusOr<std::unique_ptr<RowProducer>> RowProducer::New(const Config& config, const std::string& brokers,
                                                              const SinkTopic& topic) {
  MR_ASSIGN_OR_RETURN(std::shared_ptr<Client> client, Client::New(RD_KAFKA_PRODUCER, Config(config), brokers));
  MR_RETURN_IF_ERROR(EnsureTopic(*client, topic, After(kTopicMs)));
  Topic object(rd_kafka_topic_new(client->handle(), topic.name.c_str(), nullptr));
  if (object == nullptr) return client->Failed(Concat("opening topic '", topic.name, "'"), rd_kafka_last_error());
  return std::unique_ptr<RowProducer>(new RowProducer(std::move(client), topic.name, std::move(object)));
}

RowProducer::~RowProducer() {
  // Without this the end of the producer would wait for records whose fate no longer matters.
  rd_kafka_purge(handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  client_->Poll();
}

absl::Status RowProducer::Failed(std::string_view what, rd_kafka_resp_err_t error, std::string_view text) {
  client_->Poll();
  std::array<char, 512> fatal_text{};
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(handle(), fatal_text.data(), fatal_text.size());
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
    error = fatal;
    text = fatal_text.data();
  }
  const std::string where = Concat("kafka at ", client_->brokers(), ": topic '", name_, "': ", what);
  switch (error) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
      return Aborted(where,
                     ": a newer owner has taken over this partition of the sink, or its transaction was open for "
                     "longer than transaction.timeout.ms: ",
                     text);
    default:
      break;
  }
  const std::string problem = client_->problem().text();
  return ErrorStatus(error, Concat(where, ": ", text, problem.empty() ? "" : Concat("; ", problem)));
}

absl::Status RowProducer::Failed(std::string_view what, const Error& error) {
  return Failed(what, rd_kafka_error_code(error.get()), rd_kafka_error_string(error.get()));
}

absl::Status RowProducer::ProduceOne(const engine::SinkRow& row, std::int64_t time_ms, Deadline deadline) {
  std::array<rd_kafka_vu_t, 5> arguments{};
  arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
  arguments[0].u.rkt = topic_.get();
  arguments[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  arguments[1].u.i = RD_KAFKA_MSG_F_COPY;
  arguments[2].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  arguments[2].u.i64 = time_ms;
  arguments[3] = Bytes(RD_KAFKA_VTYPE_VALUE, row.value);
  std::size_t count = 4;
  if (row.has_key) arguments[count++] = Bytes(RD_KAFKA_VTYPE_KEY, row.key);
  while (true) {
    const Error error(rd_kafka_produceva(handle(), arguments.data(), count));
    if (error == nullptr) {
      if (++sent_ % kPollEvery == 0) client_->Poll();
      return absl::OkStatus();
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
      return Failed(Concat("a row of ", row.key.size() + row.value.size(),
                           " bytes is too large; raise the option "
                           "rdkafka.message.max.bytes and the topic's max.message.bytes, or make smaller rows"),
                    error);
    }
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || std::chrono::steady_clock::now() >= deadline) {
      return Failed("producing", error);
    }
    client_->Poll(kFullQueuePollMs);
  }
}

absl::Status RowProducer::Produce(std::span<const engine::SinkRow> rows, std::int64_t time_us, Deadline deadline) {
  sent_ = 0;
  client_->deliveries() = Deliveries();
  for (const engine::SinkRow& row : rows) MR_RETURN_IF_ERROR(ProduceOne(row, time_us / 1000, deadline));
  client_->Poll();
  return absl::OkStatus();
}

absl::Status RowProducer::AwaitDelivered(Deadline deadline) {
  const rd_kafka_resp_err_t error = rd_kafka_flush(handle(), MsLeft(deadline));
  const Deliveries& got = client_->deliveries();
  if (got.failed > 0) {
    return Failed(Concat(got.failed, " of ", sent_, " rows were not delivered"), got.first_error,
                  ErrorText(got.first_error));
  }
  if (got.ok == sent_) return absl::OkStatus();
  return Failed(Concat("only ", got.ok, " of ", sent_, " rows were delivered in time"),
                error == RD_KAFKA_RESP_ERR_NO_ERROR ? RD_KAFKA_RESP_ERR__TIMED_OUT : error, ErrorText(error));
}

}  // namespace millrace::kafka
