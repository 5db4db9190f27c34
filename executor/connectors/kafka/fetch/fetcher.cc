#include "executor/connectors/kafka/fetch/fetcher.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "executor/connectors/kafka/handles.h"

namespace millrace::kafka {
namespace {

constexpr int kAskMs = 2'000;
constexpr std::chrono::milliseconds kAgain{200};
constexpr std::chrono::seconds kTellAgain{30};

struct FreeMetadata {
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};

}  // namespace

Fetcher::Fetcher(std::shared_ptr<Client> client, const FetchSettings& settings, BrokerSecurity security,
                 std::size_t capacity)
    : client_(std::move(client)),
      settings_(settings),
      security_(std::make_shared<const BrokerSecurity>(std::move(security))),
      capacity_(capacity),
      thread_([this] { Run(); }) {}

Fetcher::~Fetcher() {
  std::map<BrokerAddress, std::shared_ptr<BrokerFetcher>> brokers;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    brokers.swap(brokers_);
  }
  changed_.notify_all();
  thread_.join();
  brokers.clear();
}

FeedPtr Fetcher::Open(const std::string& topic, std::int32_t partition) {
  auto feed = std::make_shared<PartitionFeed>(topic, partition, capacity_, [this] { RingAll(); });
  {
    const std::lock_guard lock(mutex_);
    open_.push_back(feed);
    unplaced_.push_back(feed);
  }
  changed_.notify_all();
  return feed;
}

void Fetcher::Close(const FeedPtr& feed) {
  const std::lock_guard lock(mutex_);
  std::erase(open_, feed);
  std::erase(unplaced_, feed);
  for (const auto& [address, broker] : brokers_) broker->Remove(*feed);
}

void Fetcher::RingAll() {
  const std::lock_guard lock(mutex_);
  for (const auto& [address, broker] : brokers_) broker->Ring();
}

void Fetcher::Lost(std::vector<FeedPtr> feeds, const absl::Status& why) {
  const std::string text = Message(why);
  client_->problem().Set(text);
  bool told = false;
  {
    const std::lock_guard lock(mutex_);
    // It comes again with each try: once for each outage, and now and then, is enough for the log.
    const auto now = std::chrono::steady_clock::now();
    told = text == told_ && now < told_at_ + kTellAgain;
    if (!told) {
      told_ = text;
      told_at_ = now;
    }
    for (FeedPtr& feed : feeds) {
      if (std::find(open_.begin(), open_.end(), feed) != open_.end()) unplaced_.push_back(std::move(feed));
    }
  }
  if (!told) log::Warn("kafka: fetching is interrupted", {{"why", text}});
  changed_.notify_all();
}

void Fetcher::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !unplaced_.empty(); });
    if (stopping_) return;
    std::vector<FeedPtr> feeds = std::exchange(unplaced_, {});
    lock.unlock();
    Place(std::move(feeds));
    lock.lock();
    // What could not be placed is tried again, not at once.
    if (!unplaced_.empty()) changed_.wait_for(lock, kAgain, [this] { return stopping_; });
  }
}

void Fetcher::Place(std::vector<FeedPtr> feeds) {
  std::map<std::string, Leaders> topics;
  for (const FeedPtr& feed : feeds) topics[feed->topic()];
  for (auto& [topic, leaders] : topics) AskLeaders(topic, leaders);
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  for (FeedPtr& feed : feeds) {
    if (std::find(open_.begin(), open_.end(), feed) == open_.end()) continue;  // closed meanwhile
    const Leaders& leaders = topics.at(feed->topic());
    const auto leader = leaders.find(feed->partition());
    if (leader == leaders.end()) {
      unplaced_.push_back(std::move(feed));
      continue;
    }
    auto& broker = brokers_[leader->second];
    if (broker == nullptr) {
      broker = std::make_shared<BrokerFetcher>(
          leader->second, settings_, security_,
          [this](std::vector<FeedPtr> lost, const absl::Status& why) { Lost(std::move(lost), why); });
    }
    broker->Add(std::move(feed));
  }
}

bool Fetcher::AskLeaders(const std::string& topic, Leaders& leaders) {
  const Topic object(rd_kafka_topic_new(client_->handle(), topic.c_str(), nullptr));
  if (object == nullptr) return false;
  const rd_kafka_metadata_t* asked = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(client_->handle(), 0, object.get(), &asked, kAskMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    client_->problem().Set(Message(client_->Failed(Concat("asking who leads topic '", topic, "'"), error)));
    return false;
  }
  const std::unique_ptr<const rd_kafka_metadata_t, FreeMetadata> metadata(asked);
  std::map<std::int32_t, BrokerAddress> brokers;
  for (int i = 0; i < metadata->broker_cnt; ++i)
    brokers[metadata->brokers[i].id] = {metadata->brokers[i].host, metadata->brokers[i].port};
  if (metadata->topic_cnt != 1) return false;
  const rd_kafka_metadata_topic_t& found = metadata->topics[0];
  for (int i = 0; i < found.partition_cnt; ++i) {
    const auto broker = brokers.find(found.partitions[i].leader);
    if (broker != brokers.end()) leaders[found.partitions[i].id] = broker->second;
  }
  if (leaders.empty()) client_->problem().Set(Concat("kafka: topic '", topic, "': no partition has a leader"));
  return !leaders.empty();
}

}  // namespace millrace::kafka
