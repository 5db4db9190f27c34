#include "executor/connectors/rabbitmq/rabbitmq_sink.h"

#include <algorithm>
#include <array>

#include "common/status.h"
#include "executor/connectors/options.h"
#include "executor/connectors/rabbitmq/publisher.h"

namespace millrace {
namespace {

using rabbitmq::ConnectionOptions;
using rabbitmq::kConnectionOptionNames;
using rabbitmq::Publisher;
using rabbitmq::PublisherOptions;

constexpr std::array<std::string_view, 4> kOwnNames = {"exchange", "routing_key", "mandatory", "content_type"};
constexpr auto kNames = [] {
  std::array<std::string_view, kConnectionOptionNames.size() + kOwnNames.size()> all{};
  std::copy(kOwnNames.begin(), kOwnNames.end(),
            std::copy(kConnectionOptionNames.begin(), kConnectionOptionNames.end(), all.begin()));
  return all;
}();
constexpr std::chrono::seconds kStageTime{20};
constexpr std::chrono::seconds kCommitTime{30};
constexpr std::size_t kMaxMessageId = 255;  // a short text of AMQP's

rabbitmq::Deadline After(std::chrono::seconds time) { return std::chrono::steady_clock::now() + time; }

class RabbitMqWriter : public SinkWriter {
 public:
  RabbitMqWriter(ConnectionOptions connection, PublisherOptions options, std::string routing_key,
                 const SinkPartition& partition)
      : connection_(std::move(connection)),
        options_(std::move(options)),
        routing_key_(std::move(routing_key)),
        name_(Concat("millrace ", partition.job_name, " ", partition.sink, " ", partition.partition)),
        id_prefix_(Concat(partition.job_id, "/", partition.sink, "/")),
        partition_(partition.partition) {}

  absl::StatusOr<std::uint64_t> Open() override {
    MR_ASSIGN_OR_RETURN(publisher_, Publisher::Open(connection_, options_, name_));
    return std::uint64_t{0};
  }

  absl::Status Stage(std::uint64_t batch, std::int64_t batch_time_us, const RowBuffer& rows) override {
    if (publisher_ == nullptr) return NotOpen();
    return Checked(PublishAll(batch, batch_time_us, rows));
  }

  absl::Status Commit(std::uint64_t) override {
    if (publisher_ == nullptr) return NotOpen();
    return Checked(publisher_->AwaitConfirmed(After(kCommitTime)));
  }

 private:
  absl::Status NotOpen() const {
    return FailedPrecondition("rabbitmq sink for exchange '", options_.exchange, "' is not open");
  }
  absl::Status Checked(absl::Status status) {
    if (!status.ok()) publisher_.reset();
    return status;
  }

  absl::Status PublishAll(std::uint64_t batch, std::int64_t batch_time_us, const RowBuffer& rows) {
    // Nobody answers heartbeats between batches; a server that has hung up for that is simply called again.
    if (!publisher_->TakeAnswers().ok()) {
      publisher_.reset();
      MR_RETURN_IF_ERROR(Open().status());
    }
    const rabbitmq::Deadline deadline = After(kStageTime);
    std::uint64_t index = 0;
    for (const engine::SinkRow& row : rows.rows()) {
      const std::string id = Concat(id_prefix_, batch, "/", partition_, "/", index++);
      if (id.size() > kMaxMessageId) {
        return InvalidArgument("rabbitmq sink: the message id '", id, "' has ", id.size(),
                               " bytes, and AMQP allows 255; give the sink a shorter Uid");
      }
      MR_RETURN_IF_ERROR(publisher_->Publish(
          {row.has_key ? row.key : std::string_view(routing_key_), row.value, id, batch_time_us}, deadline));
    }
    return absl::OkStatus();
  }

  const ConnectionOptions connection_;
  const PublisherOptions options_;
  const std::string routing_key_;
  const std::string name_;
  const std::string id_prefix_;
  const std::uint32_t partition_;
  std::unique_ptr<Publisher> publisher_;  // null: not open, or closed after an error
};

class RabbitMqSink : public Sink {
 public:
  RabbitMqSink(ConnectionOptions connection, PublisherOptions options, std::string routing_key)
      : connection_(std::move(connection)), options_(std::move(options)), routing_key_(std::move(routing_key)) {}

  absl::StatusOr<std::unique_ptr<SinkWriter>> NewWriter(const SinkPartition& partition) override {
    return std::make_unique<RabbitMqWriter>(connection_, options_, routing_key_, partition);
  }

 private:
  const ConnectionOptions connection_;
  const PublisherOptions options_;
  const std::string routing_key_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> MakeRabbitMqSink(const engine::OperatorDescription& description) {
  OptionReader reader("sink", description, kNames);
  MR_RETURN_IF_ERROR(reader.CheckNames());
  MR_ASSIGN_OR_RETURN(ConnectionOptions connection, rabbitmq::ReadConnectionOptions(reader));
  PublisherOptions options;
  options.exchange = reader.Text("exchange", "");
  options.content_type = reader.Text("content_type", "");
  MR_ASSIGN_OR_RETURN(options.mandatory, reader.Bool("mandatory", true));
  return std::make_unique<RabbitMqSink>(std::move(connection), std::move(options), reader.Text("routing_key", ""));
}

}  // namespace millrace
