// Reads one topic partition from what a Fetcher has brought of it, in whole record batches as the log has them. A range
// is whatever had arrived when the batch was cut.
//
// Offsets may have gaps: a range ends behind a batch of the log, or, when a limit cuts one, behind a record; reading it
// again gives the records below its end.
//
// One thread at a time; readers of different partitions at once. Close never waits; Read waits for the broker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "executor/connectors/kafka/consumer.h"
#include "executor/connectors/kafka/fetch/fetcher.h"
#include "executor/connectors/source.h"

namespace millrace::kafka {

class DirectReader final : public SplitReader {
 public:
  // Begins to fetch at `offset`.
  DirectReader(std::shared_ptr<const Consumer> consumer, std::string topic, std::int32_t partition,
               std::int64_t offset);
  ~DirectReader() override;

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override;
  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override;
  void Forget(std::string_view end) override { log_.Forget(end); }

 private:
  void MoveTo(std::int64_t offset);
  void StopFetching();
  absl::StatusOr<ClosedRange> Skip(const Position& from, const absl::Status& failure);
  absl::Status TakeUntil(std::int64_t to, std::vector<RecordSlice>& slices);
  // What a feed that can go on no more means to the job.
  absl::Status FailureOf(const PartitionFeed::Taken& taken) const;
  std::unique_ptr<RecordBatch> MakeBatch(std::vector<RecordSlice> slices) const;

  const std::shared_ptr<const Consumer> consumer_;
  PartitionLog log_;
  FeedPtr feed_;               // null: nothing more is to be fetched
  std::int64_t position_ = 0;  // where the reader stands
};

}  // namespace millrace::kafka
