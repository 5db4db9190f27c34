// Fetches from one broker for the partitions that it leads, one request after the other, on a thread of its own.
//
//   BrokerFetcher broker(address, settings, lost);
//   broker.Add(feed);
//
// What an answer says about one partition goes to its feed. A partition that this broker does not lead, and all of them
// when the connection is lost, are handed back through `lost`, with the reason; whoever gets them finds their leader
// again. Thread rule: any thread, `lost` is called on the fetcher's. The destructor ends the thread and waits for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "executor/connectors/kafka/fetch/broker_connection.h"
#include "executor/connectors/kafka/fetch/fetch_protocol.h"
#include "executor/connectors/kafka/fetch/partition_feed.h"

namespace millrace::kafka {

using FeedPtr = std::shared_ptr<PartitionFeed>;

class BrokerFetcher {
 public:
  using Lost = std::function<void(std::vector<FeedPtr> feeds, const absl::Status& why)>;

  BrokerFetcher(BrokerAddress address, const FetchSettings& settings, std::shared_ptr<const BrokerSecurity> security,
                Lost lost);
  ~BrokerFetcher();
  BrokerFetcher(const BrokerFetcher&) = delete;
  BrokerFetcher& operator=(const BrokerFetcher&) = delete;

  void Add(FeedPtr feed);
  void Remove(const PartitionFeed& feed);
  // A feed has room again.
  void Ring();

 private:
  struct Asked {
    FeedPtr feed;
    PartitionFeed::Want want;
  };

  void Run();
  // What to ask for; waits until there is something. Empty: the fetcher ends.
  std::vector<Asked> AwaitWork();
  absl::Status FetchOnce(const std::vector<Asked>& asked);
  void Dispatch(const Answer& answer, const FetchedPartition& fetched, const Asked& asked, std::vector<FeedPtr>& lost,
                absl::Status& why);
  void HandBack(std::vector<FeedPtr> feeds, const absl::Status& why);
  void Pause();

  const BrokerAddress address_;
  const FetchSettings settings_;
  const std::shared_ptr<const BrokerSecurity> security_;
  const Lost lost_;
  const int stop_fd_;

  std::mutex mutex_;  // guards the next three
  std::condition_variable changed_;
  std::vector<FeedPtr> feeds_;
  bool stopping_ = false;

  std::unique_ptr<BrokerConnection> connection_;  // the thread's, as what follows
  std::int32_t correlation_ = 0;
  bool all_asked_ = true;
  std::chrono::milliseconds pause_{0};

  std::thread thread_;
};

}  // namespace millrace::kafka
