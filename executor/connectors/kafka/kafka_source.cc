#include "executor/connectors/kafka/kafka_source.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/config.h"
#include "executor/connectors/kafka/consumer.h"
#include "executor/connectors/kafka/direct_reader.h"
#include "executor/connectors/kafka/partition_reader.h"
#include "executor/connectors/kafka/position.h"
#include "executor/connectors/kafka/security.h"
#include "executor/connectors/kafka/start_position.h"
#include "executor/connectors/kafka/topic_set.h"
#include "executor/connectors/options.h"

namespace millrace {
namespace {

using kafka::TopicPartition;

constexpr std::array<std::string_view, 19> kNames = {"brokers",
                                                     "topics",
                                                     "topic_pattern",
                                                     "start",
                                                     "end",
                                                     "isolation",
                                                     "discovery_interval_ms",
                                                     "max_records_per_batch",
                                                     "out_of_range",
                                                     "group",
                                                     "headers",
                                                     "fetch",
                                                     "tls",
                                                     "ca",
                                                     "certificate",
                                                     "private_key",
                                                     "sasl",
                                                     "username",
                                                     "password_file"};
constexpr std::array<std::string_view, 2> kIsolations = {"read_committed", "read_uncommitted"};
constexpr std::array<std::string_view, 3> kFetch = {"auto", "direct", "librdkafka"};
constexpr std::array<std::string_view, 2> kSwitch = {"true", "false"};
constexpr std::array<std::string_view, 3> kOutOfRange = {"fail", "earliest", "latest"};

constexpr std::string_view kJournal =
    "offsets live in the job's journal; a second keeper of them would break exactly-once";
constexpr std::string_view kReset = "use the option out_of_range, which records what is skipped";
constexpr std::array<kafka::RefusedProperty, 15> kRefused = {{
    {"bootstrap.servers", "use the option brokers"},
    {"metadata.broker.list", "use the option brokers"},
    {"isolation.level", "use the option isolation"},
    {"group.id", "partitions are assigned by the driver, no consumer group is joined; use the option group"},
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
    {"queued.min.messages", "32000"},
    {"queued.max.messages.kbytes", "8192"},
    {"fetch.wait.max.ms", "10"},
    {"fetch.error.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "500"},
    {"socket.nagle.disable", "true"},
    {"topic.metadata.refresh.interval.ms", "30000"},
}};

class KafkaSource : public Source {
 public:
  struct Settings {
    kafka::TopicSet topics;
    kafka::StartPosition start;
    std::optional<kafka::StartPosition> end;  // of a bounded job
    std::int64_t interval_ms = 0;
  };
  KafkaSource(std::shared_ptr<const kafka::Consumer> consumer, Settings settings)
      : consumer_(std::move(consumer)), client_(consumer_->client), settings_(std::move(settings)) {}

  void Resume() override { resumed_ = true; }

  absl::StatusOr<SplitList> ListSplits() override {
    client_->Poll();
    // What a bounded job reads was fixed when it was listed first.
    if (resumed_ && settings_.end) return SplitList{{}, true};
    MR_ASSIGN_OR_RETURN(const std::vector<TopicPartition> all, settings_.topics.List(*client_));
    if (all.empty() && settings_.end) return Unavailable(NoTopic(), "; the job begins when there is one");
    MR_RETURN_IF_ERROR(ResolveNew(all));
    client_->Poll();
    client_->problem().Clear();
    if (all.empty()) client_->problem().Set(NoTopic());
    SplitList list;
    list.complete = settings_.end.has_value();
    for (const TopicPartition& partition : all) {
      kafka::Position position{starts_.at(partition)};
      if (settings_.end) position.end = ends_.at(partition);
      list.splits.push_back({Concat(partition.first, "-", partition.second), position.Text()});
    }
    return list;
  }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    const std::size_t dash = split.rfind('-');
    std::uint64_t partition = 0;
    const std::string topic = split.substr(0, dash);
    if (dash == std::string::npos || !ParseNumber(std::string_view(split).substr(dash + 1), partition) ||
        partition > INT32_MAX || !settings_.topics.Contains(topic)) {
      return InvalidArgument("kafka: '", split, "' is not a partition of the topics of this source");
    }
    MR_ASSIGN_OR_RETURN(const kafka::Position position, kafka::ParsePosition(split, start));
    if (consumer_->fetcher != nullptr) {
      return std::make_unique<kafka::DirectReader>(consumer_, topic, static_cast<std::int32_t>(partition),
                                                   position.offset);
    }
    auto reader = std::make_unique<kafka::PartitionReader>(consumer_, topic, static_cast<std::int32_t>(partition));
    MR_RETURN_IF_ERROR(reader->Assign(position.offset));
    return reader;
  }

  std::uint64_t early_limit() const override { return consumer_->max_records == 0 ? ~0ULL : consumer_->max_records; }
  bool forgets() const override { return !consumer_->group.empty(); }
  std::string Problem() const override {
    client_->Poll();
    return client_->problem().text();
  }
  std::int64_t discovery_interval_ms() const override { return settings_.interval_ms; }

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
      MR_RETURN_IF_ERROR(CheckExist("start", settings_.start, all));
      if (settings_.end) MR_RETURN_IF_ERROR(CheckExist("end", *settings_.end, all));
    }
    auto resolved = kafka::ResolveStarts(*client_, first ? settings_.start : kafka::StartPosition(), added);
    // The topics exist, so whatever this is will pass: a leader that is just being chosen, say.
    if (!resolved.ok()) return Unavailable(Message(resolved.status()));
    if (settings_.end) {
      auto ends = kafka::ResolveStarts(*client_, *settings_.end, added);
      if (!ends.ok()) return Unavailable(Message(ends.status()));
      ends_.merge(*ends);
    }
    starts_.merge(*resolved);
    return absl::OkStatus();
  }

  absl::Status CheckExist(std::string_view option, const kafka::StartPosition& place,
                          const std::vector<TopicPartition>& all) const {
    for (const auto& [partition, offset] : place.offsets) {
      if (std::find(all.begin(), all.end(), partition) != all.end()) continue;
      return InvalidArgument("option ", option, " names partition ", partition.second, " of topic '", partition.first,
                             "', which does not exist at ", client_->brokers(),
                             "; correct the option or add partitions");
    }
    return absl::OkStatus();
  }

  std::string NoTopic() const {
    return Concat("kafka at ", client_->brokers(), ": no topic matches '", settings_.topics.pattern(), "' yet");
  }

  const std::shared_ptr<const kafka::Consumer> consumer_;
  const std::shared_ptr<kafka::Client> client_;
  const Settings settings_;
  bool resumed_ = false;                           // as starts_
  std::map<TopicPartition, std::int64_t> starts_;  // used by ListSplits alone
  std::map<TopicPartition, std::int64_t> ends_;    // as starts_
};

kafka::FetchSettings FetchSettingsOf(const kafka::Config& config, const std::string& job_id, bool read_committed) {
  kafka::FetchSettings settings;
  settings.client_id = Concat("millrace-", job_id);
  settings.max_wait_ms = static_cast<std::int32_t>(config.Number("fetch.wait.max.ms"));
  settings.min_bytes = static_cast<std::int32_t>(config.Number("fetch.min.bytes"));
  settings.max_bytes = static_cast<std::int32_t>(config.Number("fetch.max.bytes"));
  settings.partition_bytes = static_cast<std::int32_t>(config.Number("fetch.message.max.bytes"));
  settings.read_committed = read_committed;
  return settings;
}

// Whether records are fetched past librdkafka: always, unless the job says otherwise, or sets up TLS or SASL in a way
// that only librdkafka knows.
absl::StatusOr<bool> FetchesDirectly(const OptionReader& options, const engine::Options& given) {
  MR_ASSIGN_OR_RETURN(const std::string fetch, options.Choice("fetch", kFetch));
  const auto its_own = std::find_if(given.begin(), given.end(), [](const auto& option) {
    return option.first.starts_with("rdkafka.ssl.") || option.first.starts_with("rdkafka.sasl.");
  });
  if (fetch == "direct" && its_own != given.end()) {
    return options.Bad("fetch", "is direct, but ", its_own->first,
                       " is known to librdkafka alone; use auto or librdkafka");
  }
  return fetch != "librdkafka" && its_own == given.end();
}

kafka::OutOfRangePolicy PolicyOf(std::string_view word) {
  if (word == "earliest") return kafka::OutOfRangePolicy::kEarliest;
  if (word == "latest") return kafka::OutOfRangePolicy::kLatest;
  return kafka::OutOfRangePolicy::kFail;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeKafkaSource(const engine::OperatorDescription& description,
                                                        const SourceEnvironment& environment) {
  OptionReader options("source", description, kNames, kafka::kPropertyPrefix);
  MR_RETURN_IF_ERROR(options.CheckNames());
  MR_ASSIGN_OR_RETURN(std::string brokers, options.Required("brokers"));
  KafkaSource::Settings settings;
  MR_ASSIGN_OR_RETURN(settings.topics, kafka::TopicSet::Parse(options));
  MR_ASSIGN_OR_RETURN(settings.start, kafka::ParseStart(options, settings.topics.names()));
  MR_ASSIGN_OR_RETURN(settings.end, kafka::ParseEnd(options, settings.topics.names()));
  MR_ASSIGN_OR_RETURN(const std::string out_of_range, options.Choice("out_of_range", kOutOfRange));
  MR_ASSIGN_OR_RETURN(const std::string headers, options.Choice("headers", kSwitch));
  MR_ASSIGN_OR_RETURN(const std::string isolation, options.Choice("isolation", kIsolations));
  MR_ASSIGN_OR_RETURN(const std::uint64_t interval, options.Number("discovery_interval_ms", 5'000, 10, 86'400'000));
  settings.interval_ms = static_cast<std::int64_t>(interval);
  MR_ASSIGN_OR_RETURN(const std::uint64_t max_records, options.Number("max_records_per_batch", 0, 0, ~0ULL));

  kafka::Config config;
  for (const auto& [name, value] : kDefaults) MR_RETURN_IF_ERROR(config.Set(name, value));
  MR_RETURN_IF_ERROR(config.Set("bootstrap.servers", brokers));
  MR_RETURN_IF_ERROR(config.Set("isolation.level", isolation));
  // assign() wants a group's name; without the option nothing is ever stored under it.
  const std::string group = options.Text("group", "");
  MR_RETURN_IF_ERROR(config.Set("group.id", group.empty() ? Concat("millrace-", environment.job_id) : group));
  MR_RETURN_IF_ERROR(config.Set("client.id", Concat("millrace-", environment.job_id)));
  MR_RETURN_IF_ERROR(kafka::SetSecurity(options, config));
  MR_RETURN_IF_ERROR(config.SetFromOptions(options, description.options, kRefused));
  auto consumer = std::make_shared<kafka::Consumer>();
  consumer->max_records = max_records;
  consumer->group = group;
  consumer->headers = headers == "true";
  consumer->out_of_range = PolicyOf(out_of_range);
  consumer->prefetch_records = config.Number("queued.min.messages");
  consumer->prefetch_bytes = config.Number("queued.max.messages.kbytes") * 1024;
  MR_ASSIGN_OR_RETURN(const bool direct, FetchesDirectly(options, description.options));
  const kafka::FetchSettings fetch_settings =
      FetchSettingsOf(config, environment.job_id, isolation == kIsolations.front());
  auto client = kafka::Client::New(RD_KAFKA_CONSUMER, std::move(config), std::move(brokers));
  if (!client.ok()) return Annotate(client.status(), options.where(), ": the rdkafka options do not fit together");
  consumer->client = *client;
  if (direct) {
    MR_ASSIGN_OR_RETURN(kafka::BrokerSecurity security, kafka::ReadBrokerSecurity(options));
    consumer->fetcher =
        std::make_unique<kafka::Fetcher>(*client, fetch_settings, std::move(security), consumer->prefetch_bytes);
  } else {
    consumer->waker = std::make_unique<kafka::FetchWaker>(*client);
  }
  return std::make_unique<KafkaSource>(std::move(consumer), std::move(settings));
}

}  // namespace millrace
