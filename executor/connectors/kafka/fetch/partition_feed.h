// What has been fetched of one partition and was not taken yet. A fetcher fills it, a reader empties it.
//
//   feed.MoveTo(4711);                                   a fetcher asks for offset 4711 next
//   Take(limit, below) …                                 records below an offset, at most so many, without waiting
//   if (!feed.Await(deadline)) …                         until there is more, or a failure
//
// Bounded: nothing is wanted while more than `capacity` bytes are held. A fetcher's answer belongs to a generation, and
// one for a place that the reader has left meanwhile is dropped. Thread rule: any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "executor/connectors/kafka/fetch/record_set.h"

namespace millrace::kafka {

class PartitionFeed {
 public:
  // `on_room` is called, without a lock, when the feed wants something that it did not want before.
  PartitionFeed(std::string topic, std::int32_t partition, std::size_t capacity, std::function<void()> on_room)
      : topic_(std::move(topic)), partition_(partition), capacity_(capacity), on_room_(std::move(on_room)) {}

  const std::string& topic() const { return topic_; }
  std::int32_t partition() const { return partition_; }

  // ---- the reader's ----

  struct Taken {
    std::vector<RecordSlice> slices;
    std::uint64_t records = 0;
    std::int64_t next = -1;  // the offset behind the last record; -1: there is none
    bool done = false;       // no record below `below` is to come
    absl::Status failure;    // what keeps the feed from going on
    bool out_of_range = false;
  };
  void MoveTo(std::int64_t offset);
  Taken Take(std::uint64_t limit, std::int64_t below = std::numeric_limits<std::int64_t>::max());
  // Waits until there are records, the fetched offset reaches `below`, or the feed has failed; false at the deadline.
  bool Await(std::int64_t below, std::chrono::steady_clock::time_point deadline);

  // ---- the fetcher's ----

  struct Want {
    std::int64_t offset = 0;
    std::uint64_t generation = 0;
  };
  std::optional<Want> Wanted() const;
  void Deliver(std::uint64_t generation, RecordSet set);
  void Fail(std::uint64_t generation, absl::Status why, bool out_of_range);

 private:
  const std::string topic_;
  const std::int32_t partition_;
  const std::size_t capacity_;
  const std::function<void()> on_room_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::uint64_t generation_ = 0;
  bool moved_ = false;       // to where it begins
  std::int64_t offset_ = 0;  // to be fetched next
  std::deque<RecordSlice> held_;
  std::size_t held_bytes_ = 0;
  absl::Status failure_;
  bool out_of_range_ = false;
};

}  // namespace millrace::kafka
