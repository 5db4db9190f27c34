// Reads one topic partition through the source's one consumer, from a queue of its own. librdkafka's prefetch into that
// queue is the buffer; Close empties it without waiting, so a range is whatever had arrived when the batch was cut.
//
// Offsets may have gaps (compaction, transaction markers, aborted transactions): a range ends behind its last record,
// and reading it again stops at the first record at or behind its end, which is kept for the next Close.
//
// One thread at a time; readers of different partitions at once. Seeking may wait for librdkafka, bounded; Read waits
// for the broker.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/consumer.h"
#include "executor/connectors/kafka/handles.h"
#include "executor/connectors/kafka/position.h"
#include "executor/connectors/source.h"

namespace millrace::kafka {

class PartitionReader : public SplitReader {
 public:
  PartitionReader(std::shared_ptr<const Consumer> consumer, std::string topic, std::int32_t partition);
  ~PartitionReader() override;

  // Begins to prefetch at `offset`. Once, before anything else.
  absl::Status Assign(std::int64_t offset);

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override;
  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override;
  void Forget(std::string_view end) override { log_.Forget(end); }

 private:
  absl::Status MoveTo(std::int64_t offset);
  void Unassign();
  // Takes what is held, at most `limit` records, without waiting.
  void TakeHeld(std::uint64_t limit, std::vector<MessagePtr>& taken);
  // Takes records below `to` until that offset is reached.
  absl::Status TakeUntil(std::int64_t to, std::vector<MessagePtr>& taken);
  // Called when `taken` was drained out of `held` entries: has librdkafka fetch again if it had stopped.
  void ResumeFetching(std::size_t held, const std::vector<MessagePtr>& taken) const;
  // At most 1024 entries of the queue; waits at most `timeout_ms`, for the first alone.
  std::size_t Consume(int timeout_ms, std::size_t limit);
  // Cuts off what a bounded job does not read; true when nothing before `end` is to come.
  bool ReachedEnd(std::int64_t end, std::vector<MessagePtr>& taken);
  // An empty range from `from` to where the log goes on, as the policy says.
  absl::StatusOr<ClosedRange> Skip(const Position& from);
  void NoteError(const rd_kafka_message_t& message);
  std::unique_ptr<RecordBatch> MakeBatch(std::vector<MessagePtr> messages);

  const std::shared_ptr<const Consumer> consumer_;
  const std::shared_ptr<Client> client_;
  PartitionLog log_;

  Queue queue_;
  bool assigned_ = false;
  bool stopped_ = false;            // librdkafka has given up on the position and must be assigned anew
  std::int64_t position_ = 0;       // where the reader stands
  std::int64_t end_seen_ = -1;      // offset of the last end of partition that was reported
  std::deque<MessagePtr> pending_;  // read beyond the end of a range; they come before the queue
  absl::Status failure_;            // what is wrong at this position, until the reader is moved
  bool out_of_range_ = false;       // that is what failure_ is about
  std::vector<rd_kafka_message_t*> chunk_;
};

}  // namespace millrace::kafka
