#include "executor/connectors/kafka/kafka_sink.h"

#include <array>

#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/config.h"
#include "executor/connectors/kafka/row_producer.h"
#include "executor/connectors/kafka/security.h"
#include "executor/connectors/kafka/sink_topic.h"
#include "executor/connectors/kafka/transactional_writer.h"
#include "executor/connectors/options.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 13> kNames = {
    "brokers",      "topic", "create_partitions", "replication_factor", "topic_config", "exactly_once",
    "tls",          "ca",    "certificate",       "private_key",        "sasl",         "username",
    "password_file"};
constexpr int kStageMs = 20'000;
constexpr int kCommitMs = 30'000;

constexpr std::string_view kIdempotence =
    "the sink needs every record acknowledged by all replicas and retried without repetition";
constexpr std::array<kafka::RefusedProperty, 12> kRefused = {{
    {"bootstrap.servers", "use the option brokers"},
    {"metadata.broker.list", "use the option brokers"},
    {"transactional.id", "it names the sink partition, for good"},
    {"enable.idempotence", kIdempotence},
    {"enable.gapless.guarantee", kIdempotence},
    {"acks", kIdempotence},
    {"request.required.acks", kIdempotence},
    {"retries", kIdempotence},
    {"message.send.max.retries", kIdempotence},
    {"max.in.flight", kIdempotence},
    {"max.in.flight.requests.per.connection", kIdempotence},
    {"delivery.report.only.error", "every record's delivery is counted before a batch is committed"},
}};

// Ours first, so that rdkafka.<name> may change what is not refused. A transaction costs several round trips, each with
// a retry while the one before is being completed: at librdkafka's default back-off of 100 ms that is most of a small
// batch's time.
constexpr std::array<std::array<const char*, 2>, 8> kDefaults = {{
    {"enable.idempotence", "true"},
    {"linger.ms", "1"},
    {"retry.backoff.ms", "1"},
    {"message.timeout.ms", "30000"},
    {"queue.buffering.max.messages", "200000"},
    {"queue.buffering.max.kbytes", "65536"},
    {"partitioner", "murmur2_random"},
    {"reconnect.backoff.max.ms", "500"},
}};

class AtLeastOnceWriter : public SinkWriter {
 public:
  AtLeastOnceWriter(kafka::Config config, std::string brokers, kafka::SinkTopic topic)
      : config_(std::move(config)), brokers_(std::move(brokers)), topic_(std::move(topic)) {}

  absl::StatusOr<std::uint64_t> Open() override {
    MR_ASSIGN_OR_RETURN(producer_, kafka::RowProducer::New(config_, brokers_, topic_));
    return std::uint64_t{0};
  }

  absl::Status Stage(std::uint64_t, std::int64_t batch_time_us, const RowBuffer& rows) override {
    if (producer_ == nullptr) return FailedPrecondition("kafka sink for topic '", topic_.name, "' is not open");
    return Checked(producer_->Produce(rows.rows(), batch_time_us, kafka::After(kStageMs)));
  }

  absl::Status Commit(std::uint64_t) override {
    if (producer_ == nullptr) return FailedPrecondition("kafka sink for topic '", topic_.name, "' is not open");
    return Checked(producer_->AwaitDelivered(kafka::After(kCommitMs)));
  }

 private:
  absl::Status Checked(absl::Status status) {
    if (!status.ok()) producer_.reset();
    return status;
  }

  const kafka::Config config_;
  const std::string brokers_;
  const kafka::SinkTopic topic_;
  std::unique_ptr<kafka::RowProducer> producer_;
};

class KafkaSink : public Sink {
 public:
  KafkaSink(kafka::Config config, std::string brokers, kafka::SinkTopic topic, bool exactly_once)
      : config_(std::move(config)),
        brokers_(std::move(brokers)),
        topic_(std::move(topic)),
        exactly_once_(exactly_once) {}

  absl::StatusOr<std::unique_ptr<SinkWriter>> NewWriter(const SinkPartition& partition) override {
    if (!exactly_once_) return std::make_unique<AtLeastOnceWriter>(config_, brokers_, topic_);
    return std::make_unique<kafka::TransactionalWriter>(config_, brokers_, topic_, partition);
  }

 private:
  const kafka::Config config_;
  const std::string brokers_;
  const kafka::SinkTopic topic_;
  const bool exactly_once_;
};

// librdkafka judges a configuration as a whole only when a client is made from it: make one that knows no broker.
absl::Status CheckWhole(const kafka::Config& config, bool exactly_once) {
  kafka::Config trial(config);
  if (exactly_once) MR_RETURN_IF_ERROR(trial.Set("transactional.id", "millrace-check"));
  return kafka::Client::New(RD_KAFKA_PRODUCER, std::move(trial), "").status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> MakeKafkaSink(const engine::OperatorDescription& description) {
  OptionReader options("sink", description, kNames, kafka::kPropertyPrefix);
  MR_RETURN_IF_ERROR(options.CheckNames());
  MR_ASSIGN_OR_RETURN(std::string brokers, options.Required("brokers"));
  MR_ASSIGN_OR_RETURN(kafka::SinkTopic topic, kafka::ParseSinkTopic(options));
  MR_ASSIGN_OR_RETURN(const bool exactly_once, options.Bool("exactly_once", true));

  kafka::Config config;
  for (const auto& [name, value] : kDefaults) MR_RETURN_IF_ERROR(config.Set(name, value));
  // Longer than any wait of the writer; the broker aborts what is older than this.
  if (exactly_once) MR_RETURN_IF_ERROR(config.Set("transaction.timeout.ms", "60000"));
  MR_RETURN_IF_ERROR(kafka::SetSecurity(options, config));
  MR_RETURN_IF_ERROR(config.SetFromOptions(options, description.options, kRefused));
  if (absl::Status whole = CheckWhole(config, exactly_once); !whole.ok()) {
    return Annotate(whole, options.where(), ": the rdkafka options do not fit together");
  }
  MR_RETURN_IF_ERROR(config.Set("bootstrap.servers", brokers));
  return std::make_unique<KafkaSink>(std::move(config), std::move(brokers), std::move(topic), exactly_once);
}

}  // namespace millrace
