#include "executor/connectors/custom/record_blocks.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "common/status.h"

namespace millrace::custom {
namespace {

constexpr std::size_t kMaxPosition = 1000;
constexpr std::size_t kMaxRecord = std::size_t{64} << 20;

}  // namespace

void BlockWriter::Add(std::string_view value, std::string_view next) {
  if (next.empty() || next.size() > kMaxPosition) {
    throw std::invalid_argument(
        Concat("a position of ", next.size(), " bytes was given to Add; it must have 1 to ", kMaxPosition));
  }
  if (value.size() > kMaxRecord) {
    throw std::invalid_argument(
        Concat("a record of ", value.size(), " bytes was given to Add; it may have up to ", kMaxRecord));
  }
  std::string& bytes = block_->bytes_;
  const auto value_at = static_cast<std::uint32_t>(bytes.size());
  bytes.append(value);
  const auto next_at = static_cast<std::uint32_t>(bytes.size());
  bytes.append(next);
  block_->records_.push_back({value_at, next_at, static_cast<std::uint32_t>(next.size())});
}

std::shared_ptr<const RecordBlock> BlockWriter::Take() {
  return std::exchange(block_, std::make_shared<RecordBlock>());
}

std::span<const engine::SourceRecord> SlicedBatch::Next() {
  records_.clear();
  while (slice_ < slices_.size() && used_ == slices_[slice_].count) ++slice_, used_ = 0;
  if (slice_ == slices_.size()) return {};
  const BlockSlice& slice = slices_[slice_];
  const std::size_t n = std::min(engine::kChunkRecords, slice.count - used_);
  records_.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    records_[i].value = slice.block->value(slice.first + used_ + i);
    records_[i].topic = split_;
  }
  used_ += n;
  return records_;
}

}  // namespace millrace::custom
