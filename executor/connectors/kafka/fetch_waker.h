// Gets librdkafka to fetch again at once after a full prefetch queue was emptied.
//
// When every queue of a broker is full, librdkafka's thread for that broker sleeps up to a second before it looks
// again, and at short batch intervals most of a backlog's time would pass in that sleep. Any request to the partition's
// leader ends it; asking where the log ends is the cheapest one. It waits for an answer, so it has a thread of its own.
//
// Any thread may call Wake; it never waits. The destructor waits for a request under way, about a second when the
// broker is gone.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "executor/connectors/kafka/client.h"

namespace millrace::kafka {

class FetchWaker {
 public:
  explicit FetchWaker(std::shared_ptr<Client> client);
  ~FetchWaker();
  FetchWaker(const FetchWaker&) = delete;
  FetchWaker& operator=(const FetchWaker&) = delete;

  void Wake(const std::string& topic, std::int32_t partition);

 private:
  void Run();

  const std::shared_ptr<Client> client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::pair<std::string, std::int32_t>> asked_;  // no more entries than the source has partitions
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millrace::kafka
