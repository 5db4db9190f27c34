// What the readers of one Kafka source share, and what is asked about a partition beside its records.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/fetch/fetcher.h"
#include "executor/connectors/kafka/fetch_waker.h"
#include "executor/connectors/kafka/position.h"

namespace millrace::kafka {

// What becomes of a position that the log no longer has.
enum class OutOfRangePolicy : std::uint8_t { kFail, kEarliest, kLatest };

struct Consumer {
  std::shared_ptr<Client> client;
  std::unique_ptr<Fetcher> fetcher;    // null: librdkafka fetches
  std::unique_ptr<FetchWaker> waker;   // of librdkafka, when it does
  std::uint64_t max_records = 0;       // in one range; 0: no limit
  std::uint64_t prefetch_records = 0;  // librdkafka stops fetching a partition at either of these
  std::uint64_t prefetch_bytes = 0;
  OutOfRangePolicy out_of_range = OutOfRangePolicy::kFail;
  bool headers = true;     // whether the job can see them: to look for them costs each record a little
  std::string group = {};  // whose offsets follow what is committed, for tools that show a lag; empty: nobody's
};

// One partition as its brokers tell of it. One thread at a time; questions wait for an answer, at most two seconds.
class PartitionLog {
 public:
  PartitionLog(std::shared_ptr<const Consumer> consumer, std::string topic, std::int32_t partition);

  const std::shared_ptr<const std::string>& topic() const { return topic_; }
  std::int32_t partition() const { return partition_; }
  const std::string& name() const { return name_; }  // "topic-3"

  // The first and the end offset of the log now; false when no broker tells.
  bool AskExtent(std::int64_t& low, std::int64_t& high) const;
  // DataLoss: the log no longer has this offset, and why that may be.
  absl::Status OutOfRange(std::int64_t offset) const;
  // Nothing came for so long while a range up to `to` was read again, at `position`.
  absl::Status NothingCame(std::int64_t position, std::int64_t to, std::chrono::seconds patience) const;
  // Where the log goes on, as the policy says, after `failure`: the end of a range that skips. It is logged, and said
  // in the problem.
  absl::StatusOr<Position> SkipFrom(const Position& from, const absl::Status& failure) const;

  // The group is told about once a second.
  void Forget(std::string_view end);
  void TellGroup();

 private:
  const std::shared_ptr<const Consumer> consumer_;
  const std::shared_ptr<const std::string> topic_;
  const std::int32_t partition_;
  const std::string name_;
  std::int64_t group_offset_ = -1;  // not yet told to the group; -1: nothing
  std::chrono::steady_clock::time_point group_told_;
};

}  // namespace millrace::kafka
