#include "executor/connectors/kafka/kafka_source.h"

#include <algorithm>
#include <array>
#include <map>

#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/config.h"
#include "executor/connectors/kafka/partition_reader.h"
#include "executor/connectors/kafka/start_position.h"
#include "executor/connectors/kafka/topic_names.h"
#include "executor/connectors/options.h"

namespace millrace {
namespace {

using kafka::TopicPartition;

constexpr std::array<std::string_view, 6> kNames = {
    "brokers", "topics", "start", "isolation", "discovery_interval_ms", "max_records_per_batch"};
constexpr std::array<std::string_view, 2> kIsolations = {"read_committed", "read_uncommitted"};

constexpr std::string_view kJournal =
    "offsets live in the job's journal; a second keeper of them would break exactly-once";
constexpr std::string_view kReset = "an offset that is gone must stop the job, not skip records silently";
constexpr std::array<kafka::RefusedProperty, 15> kRefused = {{
    {"bootstrap.servers", "use the option brokers"},
    {"metadata.broker.list", "use the option brokers"},
    {"isolation.level", "use the option isolation"},
    {"group.id", "partitions are assigned by the driver, no consumer group is joined"},
    {"group.instance.id", "partitions are assigned by the driver, no consumer group is joined"},
    {"enable.auto.commit", kJournal},
    {"auto.commit.enable", kJournal},
    {"auto.commit.interval.ms", kJournal},
    {"enable.auto.offset.store", kJournal},
    {"offset.store.method", kJournal},
    {"offset.store.path", kJournal},
    {"auto.offset.reset", kReset},
    {"enable.partition.eof", "reading a range again needs to see the end of the log"},
    {"check.crcs", "damaged records must be noticed"},
    {"allow.auto.create.topics", "a source does not make topics"},
}};

// Ours first, so that rdkafka.<name> may change what is not refused.
constexpr std::array<std::array<const char*, 2>, 13> kDefaults = {{
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"enable.partition.eof", "true"},
    {"check.crcs", "true"},
    {"allow.auto.create.topics", "false"},
    {"queued.min.messages", "300000"},
    {"queued.max.messages.kbytes", "32768"},
    {"fetch.wait.max.ms", "10"},
    {"fetch.error.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "500"},
    {"socket.nagle.disable", "true"},
    {"topic.metadata.refresh.interval.ms", "30000"},
}};

class KafkaSource : public Source {
 public:
  KafkaSource(std::shared_ptr<const kafka::Consumer> consumer, std::vector<std::string> topics,
              kafka::StartPosition start, std::int64_t interval_ms)
      : consumer_(std::move(consumer)),
        client_(consumer_->client),
        topics_(std::move(topics)),
        start_(std::move(start)),
        interval_ms_(interval_ms) {}

  void Resume() override { resumed_ = true; }

  absl::StatusOr<SplitList> ListSplits() override {
    client_->Poll();
    std::vector<TopicPartition> all;
    for (const std::string& topic : topics_) {
      MR_ASSIGN_OR_RETURN(const std::int32_t count, client_->PartitionCount(topic, "topics"));
      for (std::int32_t p = 0; p < count; ++p) all.emplace_back(topic, p);
    }
    MR_RETURN_IF_ERROR(ResolveNew(all));
    client_->Poll();
    client_->problem().Clear();
    SplitList list;
    for (const TopicPartition& partition : all) {
      list.splits.push_back({Concat(partition.first, "-", partition.second), std::to_string(starts_.at(partition))});
    }
    return list;
  }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    const std::size_t dash = split.rfind('-');
    std::uint64_t partition = 0;
    const std::string topic = split.substr(0, dash);
    if (dash == std::string::npos || !ParseNumber(std::string_view(split).substr(dash + 1), partition) ||
        partition > INT32_MAX || std::find(topics_.begin(), topics_.end(), topic) == topics_.end()) {
      return InvalidArgument("kafka: '", split, "' is not a partition of the topics of this source");
    }
    std::uint64_t offset = 0;
    if (!ParseNumber(start, offset) || offset > static_cast<std::uint64_t>(INT64_MAX)) {
      return InvalidArgument("kafka ", split, ": start '", start, "' is not an offset");
    }
    auto reader = std::make_unique<kafka::PartitionReader>(consumer_, topic, static_cast<std::int32_t>(partition));
    MR_RETURN_IF_ERROR(reader->Assign(static_cast<std::int64_t>(offset)));
    return reader;
  }

  std::string Problem() const override {
    client_->Poll();
    return client_->problem().text();
  }
  std::int64_t discovery_interval_ms() const override { return interval_ms_; }

 private:
  // Gives every partition that is not known yet its start, once.
  absl::Status ResolveNew(const std::vector<TopicPartition>& all) {
    std::vector<TopicPartition> added;
    for (const TopicPartition& partition : all) {
      if (!starts_.contains(partition)) added.push_back(partition);
    }
    if (added.empty()) return absl::OkStatus();
    const bool first = starts_.empty() && !resumed_;
    if (first) {
      for (const auto& [partition, offset] : start_.offsets) {
        if (std::find(all.begin(), all.end(), partition) != all.end()) continue;
        return InvalidArgument("option start names partition ", partition.second, " of topic '", partition.first,
                               "', which does not exist at ", client_->brokers(),
                               "; correct the option or add partitions");
      }
    }
    auto resolved = kafka::ResolveStarts(*client_, first ? start_ : kafka::StartPosition(), added);
    // The topics exist, so whatever this is will pass: a leader that is just being chosen, say.
    if (!resolved.ok()) return Unavailable(Message(resolved.status()));
    starts_.merge(*resolved);
    return absl::OkStatus();
  }

  const std::shared_ptr<const kafka::Consumer> consumer_;
  const std::shared_ptr<kafka::Client> client_;
  const std::vector<std::string> topics_;
  const kafka::StartPosition start_;
  const std::int64_t interval_ms_;
  bool resumed_ = false;                           // as starts_
  std::map<TopicPartition, std::int64_t> starts_;  // used by ListSplits alone
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeKafkaSource(const engine::OperatorDescription& description,
                                                        const std::string& job_id) {
  OptionReader options("source", description, kNames, kafka::kPropertyPrefix);
  MR_RETURN_IF_ERROR(options.CheckNames());
  MR_ASSIGN_OR_RETURN(std::string brokers, options.Required("brokers"));
  MR_ASSIGN_OR_RETURN(std::vector<std::string> topics, kafka::ParseTopics(options, "topics"));
  MR_ASSIGN_OR_RETURN(kafka::StartPosition start, kafka::ParseStart(options, topics));
  MR_ASSIGN_OR_RETURN(const std::string isolation, options.Choice("isolation", kIsolations));
  MR_ASSIGN_OR_RETURN(const std::uint64_t interval, options.Number("discovery_interval_ms", 5'000, 10, 86'400'000));
  MR_ASSIGN_OR_RETURN(const std::uint64_t max_records, options.Number("max_records_per_batch", 0, 0, ~0ULL));

  kafka::Config config;
  for (const auto& [name, value] : kDefaults) MR_RETURN_IF_ERROR(config.Set(name, value));
  MR_RETURN_IF_ERROR(config.Set("bootstrap.servers", brokers));
  MR_RETURN_IF_ERROR(config.Set("isolation.level", isolation));
  // assign() wants a group's name; nothing is ever stored under it.
  MR_RETURN_IF_ERROR(config.Set("group.id", Concat("millrace-", job_id)));
  MR_RETURN_IF_ERROR(config.Set("client.id", Concat("millrace-", job_id)));
  MR_RETURN_IF_ERROR(config.SetFromOptions(options, description.options, kRefused));
  auto consumer = std::make_shared<kafka::Consumer>();
  consumer->max_records = max_records;
  consumer->prefetch_records = config.Number("queued.min.messages");
  consumer->prefetch_bytes = config.Number("queued.max.messages.kbytes") * 1024;
  auto client = kafka::Client::New(RD_KAFKA_CONSUMER, std::move(config), std::move(brokers));
  if (!client.ok()) return Annotate(client.status(), options.where(), ": the rdkafka options do not fit together");
  consumer->client = *client;
  consumer->waker = std::make_unique<kafka::FetchWaker>(*client);
  return std::make_unique<KafkaSource>(std::move(consumer), std::move(topics), std::move(start),
                                       static_cast<std::int64_t>(interval));
}

}  // namespace millrace
