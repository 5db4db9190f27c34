#include "executor/connectors/kafka/fetch/broker_fetcher.h"

#include <librdkafka/rdkafka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "common/status.h"

namespace millrace::kafka {
namespace {

constexpr std::chrono::seconds kAnswerPatience{30};
constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLastPause{500};
constexpr int kShareCopied = 8;  // a part smaller than this share of an answer does not keep the whole in memory

// Error codes of the protocol that are told apart.
constexpr std::int16_t kNone = 0;
constexpr std::int16_t kOffsetOutOfRange = 1;
constexpr std::int16_t kNotAuthorized = 29;

std::string Why(std::int16_t error) { return rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error)); }

}  // namespace

BrokerFetcher::BrokerFetcher(BrokerAddress address, const FetchSettings& settings,
                             std::shared_ptr<const BrokerSecurity> security, Lost lost)
    : address_(std::move(address)),
      settings_(settings),
      security_(std::move(security)),
      lost_(std::move(lost)),
      stop_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  MR_CHECK(stop_fd_ >= 0);
  thread_ = std::thread([this] { Run(); });
}

BrokerFetcher::~BrokerFetcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  const std::uint64_t one = 1;
  MR_CHECK(write(stop_fd_, &one, sizeof one) == sizeof one);
  thread_.join();
  close(stop_fd_);
}

void BrokerFetcher::Add(FeedPtr feed) {
  {
    const std::lock_guard lock(mutex_);
    feeds_.push_back(std::move(feed));
  }
  changed_.notify_all();
}

void BrokerFetcher::Remove(const PartitionFeed& feed) {
  const std::lock_guard lock(mutex_);
  std::erase_if(feeds_, [&](const FeedPtr& one) { return one.get() == &feed; });
}

void BrokerFetcher::Ring() {
  // The lock orders this after the look of a thread that is about to wait.
  { const std::lock_guard lock(mutex_); }
  changed_.notify_all();
}

std::vector<BrokerFetcher::Asked> BrokerFetcher::AwaitWork() {
  std::vector<Asked> asked;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    asked.clear();
    for (const FeedPtr& feed : feeds_) {
      if (const auto want = feed->Wanted()) asked.push_back({feed, *want});
    }
    return stopping_ || !asked.empty();
  });
  if (stopping_) asked.clear();
  all_asked_ = asked.size() == feeds_.size();
  // When an answer is full, whoever is asked for first has its records in it, and only he gets a batch that is larger
  // than his share: another one each time.
  if (!feeds_.empty()) std::rotate(feeds_.begin(), feeds_.begin() + 1, feeds_.end());
  std::map<std::string_view, std::size_t> rank;  // of topics, by who comes first; a topic's partitions stand together
  for (const Asked& one : asked) rank.emplace(one.feed->topic(), rank.size());
  std::stable_sort(asked.begin(), asked.end(), [&rank](const Asked& a, const Asked& b) {
    return rank.at(a.feed->topic()) < rank.at(b.feed->topic());
  });
  return asked;
}

void BrokerFetcher::Run() {
  for (auto asked = AwaitWork(); !asked.empty(); asked = AwaitWork()) {
    absl::Status status = FetchOnce(asked);
    if (status.ok()) {
      pause_ = std::chrono::milliseconds(0);
      continue;
    }
    if (absl::IsCancelled(status)) return;
    connection_.reset();
    std::vector<FeedPtr> feeds;
    {
      const std::lock_guard lock(mutex_);
      feeds.swap(feeds_);
    }
    Pause();
    lost_(std::move(feeds), status);
  }
}

absl::Status BrokerFetcher::FetchOnce(const std::vector<Asked>& asked) {
  if (connection_ == nullptr) {
    MR_ASSIGN_OR_RETURN(connection_, BrokerConnection::Open(address_, settings_, *security_, stop_fd_));
  }
  std::vector<WantedPartition> wanted;
  for (const Asked& one : asked) wanted.push_back({one.feed->topic(), one.feed->partition(), one.want.offset});
  // While some are left out, because they are full, it must not be long until they can be asked for.
  const int wait = all_asked_ ? settings_.max_wait_ms : std::min(settings_.max_wait_ms, 5);
  const std::string request = EncodeFetch(settings_, wanted, wait, ++correlation_);
  MR_ASSIGN_OR_RETURN(const Answer answer, connection_->Call(request, correlation_, kAnswerPatience));
  MR_ASSIGN_OR_RETURN(const FetchAnswer fetched, DecodeFetch(answer.body));
  if (fetched.error != kNone) return Unavailable("kafka ", address_.Name(), ": ", Why(fetched.error));
  std::vector<FeedPtr> lost;
  absl::Status why;
  for (const FetchedPartition& partition : fetched.partitions) {
    const auto one = std::find_if(asked.begin(), asked.end(), [&](const Asked& a) {
      return a.feed->partition() == partition.partition && a.feed->topic() == partition.topic;
    });
    if (one != asked.end()) Dispatch(answer, partition, *one, lost, why);
  }
  if (!lost.empty()) HandBack(std::move(lost), why);
  return absl::OkStatus();
}

void BrokerFetcher::Dispatch(const Answer& answer, const FetchedPartition& fetched, const Asked& asked,
                             std::vector<FeedPtr>& lost, absl::Status& why) {
  const std::string name = Concat("kafka ", fetched.topic, "-", fetched.partition);
  switch (fetched.error) {
    case kNone: {
      Buffer buffer = answer.buffer;
      std::string_view records = fetched.records;
      if (records.size() < answer.body.size() / kShareCopied) {
        auto copy = std::make_shared<const std::string>(records);
        records = *copy;
        buffer = std::move(copy);
      }
      RecordSet set = ParseRecordSet(buffer, records, asked.want.offset, fetched.aborted);
      if (!set.error.ok()) set.error = Annotate(set.error, name);
      asked.feed->Deliver(asked.want.generation, std::move(set));
      return;
    }
    case kOffsetOutOfRange:
      asked.feed->Fail(asked.want.generation, DataLoss(name, ": the log no longer has offset ", asked.want.offset),
                       true);
      return;
    case kNotAuthorized:
      why = PermissionDenied(name, ": the user may not read this topic");
      lost.push_back(asked.feed);
      return;
    default:
      // Another broker may lead it now; whatever else it is passes, or is said again.
      why = Unavailable(name, ": broker ", address_.Name(), ": ", Why(fetched.error));
      lost.push_back(asked.feed);
  }
}

void BrokerFetcher::HandBack(std::vector<FeedPtr> feeds, const absl::Status& why) {
  for (const FeedPtr& feed : feeds) Remove(*feed);
  Pause();
  lost_(std::move(feeds), why);
}

void BrokerFetcher::Pause() {
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLastPause);
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause_, [this] { return stopping_; });
}

}  // namespace millrace::kafka
