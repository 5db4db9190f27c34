#include "executor/connectors/kafka/fetch/slice_batch.h"

#include "common/status.h"

namespace millrace::kafka {

bool SliceBatch::Walk(engine::SourceRecord& record) {
  while (slice_ < slices_.size()) {
    if (!walker_) walker_.emplace(slices_[slice_]);
    if (walker_->Next(record, with_headers_ ? &parsed_ : nullptr)) return true;
    MR_CHECK(walker_->ok());  // every slice was walked through when it came
    walker_.reset();
    ++slice_;
  }
  return false;
}

std::span<const engine::SourceRecord> SliceBatch::Next() {
  records_.clear();
  records_.reserve(engine::kChunkRecords);
  engine::SourceRecord record;
  while (records_.size() < engine::kChunkRecords && Walk(record)) {
    record.partition = static_cast<std::uint32_t>(partition_);
    record.topic = *topic_;
    if (!parsed_.empty()) {
      record.headers = headers_.emplace_back(std::move(parsed_)).data();
      record.header_count = static_cast<std::uint32_t>(headers_.back().size());
      parsed_.clear();
    }
    records_.push_back(record);
  }
  return records_;
}

}  // namespace millrace::kafka
