// Fetches the partitions of one source straight from their leaders, past librdkafka's queues: one thread for each
// broker, and one that finds out who leads what, through librdkafka.
//
//   Fetcher fetcher(client, settings, 16 << 20);
//   FeedPtr feed = fetcher.Open("clicks", 3);            feed->MoveTo(offset); feed->Take(…)
//   fetcher.Close(feed);
//
// What is wrong is said in client->problem(), and tried again with growing waits. Any thread. The destructor ends the
// threads; it may wait for a question to the brokers that is under way, at most two seconds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/fetch/broker_fetcher.h"

namespace millrace::kafka {

class Fetcher {
 public:
  Fetcher(std::shared_ptr<Client> client, const FetchSettings& settings, BrokerSecurity security, std::size_t capacity);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  FeedPtr Open(const std::string& topic, std::int32_t partition);
  void Close(const FeedPtr& feed);

 private:
  using Leaders = std::map<std::int32_t, BrokerAddress>;  // by partition

  void Run();
  // Gives each of these its broker; what has none now is left for later.
  void Place(std::vector<FeedPtr> feeds);
  // False when the brokers do not tell; then the problem is set.
  bool AskLeaders(const std::string& topic, Leaders& leaders);
  void Lost(std::vector<FeedPtr> feeds, const absl::Status& why);
  void RingAll();

  const std::shared_ptr<Client> client_;
  const FetchSettings settings_;
  const std::shared_ptr<const BrokerSecurity> security_;
  const std::size_t capacity_;

  std::mutex mutex_;  // guards all below but the thread
  std::condition_variable changed_;
  std::vector<FeedPtr> open_;
  std::vector<FeedPtr> unplaced_;  // of those
  std::map<BrokerAddress, std::shared_ptr<BrokerFetcher>> brokers_;
  bool stopping_ = false;
  std::string told_;  // what the log has of the last interruption, and since when
  std::chrono::steady_clock::time_point told_at_;

  std::thread thread_;
};

}  // namespace millrace::kafka
