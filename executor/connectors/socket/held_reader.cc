#include "executor/connectors/socket/held_reader.h"

#include <algorithm>
#include <utility>

#include "common/status.h"
#include "executor/connectors/options.h"

namespace millrace::sockets {
namespace {

class SlicesBatch : public RecordBatch {
 public:
  SlicesBatch(std::vector<RecordSlice> slices, std::uint64_t first) : slices_(std::move(slices)), position_(first) {}

  std::span<const engine::SourceRecord> Next() override {
    records_.clear();
    while (records_.size() < engine::kChunkRecords && slice_ < slices_.size()) {
      const RecordSlice& slice = slices_[slice_];
      const std::size_t n = std::min(engine::kChunkRecords - records_.size(), slice.count - used_);
      for (std::size_t i = 0; i < n; ++i) {
        engine::SourceRecord& record = records_.emplace_back();
        record.value = slice.block->at(slice.first + used_ + i);
        record.position = static_cast<std::int64_t>(position_++);
      }
      used_ += n;
      if (used_ == slice.count) ++slice_, used_ = 0;
    }
    return records_;
  }

 private:
  const std::vector<RecordSlice> slices_;
  std::size_t slice_ = 0;
  std::size_t used_ = 0;
  std::uint64_t position_;
  std::vector<engine::SourceRecord> records_;
};

std::size_t BytesOf(const RecordSlice& slice) {
  return slice.block->memory() * slice.count / std::max<std::size_t>(1, slice.block->records.size());
}

}  // namespace

HeldReader::HeldReader(std::string split, std::shared_ptr<RecordQueue> queue, std::shared_ptr<SocketStream> stream,
                       std::uint64_t start)
    : split_(std::move(split)), queue_(std::move(queue)), stream_(std::move(stream)), first_(start), end_(start) {}

HeldReader::~HeldReader() { Drain(); }

absl::StatusOr<ClosedRange> HeldReader::Close(std::string_view start, std::uint64_t max_records) {
  MR_ASSIGN_OR_RETURN(const std::uint64_t from, Number(start));
  if (from < first_) return Gone(start);
  if (from > end_) SkipTo(from);  // what is between was lost with the runner that had it
  const std::uint64_t held = end_ - from;
  if ((kept_bytes_ < kMaxKeptBytes || drained_) && (max_records == 0 || held < max_records))
    Keep(queue_->Take(max_records == 0 ? 0 : max_records - held));
  ClosedRange range;
  const std::uint64_t to = max_records == 0 ? end_ : std::min(end_, from + max_records);
  range.records = to - from;
  range.end = std::to_string(to);
  range.data = std::make_unique<SlicesBatch>(Slices(from, to), from);
  return range;
}

absl::StatusOr<std::unique_ptr<RecordBatch>> HeldReader::Read(std::string_view start, std::string_view end) {
  MR_ASSIGN_OR_RETURN(const std::uint64_t from, Number(start));
  MR_ASSIGN_OR_RETURN(const std::uint64_t to, Number(end));
  if (from >= first_ && to <= end_) return std::make_unique<SlicesBatch>(Slices(from, to), from);
  if (to > end_) SkipTo(to);
  if (from == to) return std::make_unique<SlicesBatch>(std::vector<RecordSlice>(), to);
  return Gone(start);
}

void HeldReader::Drain() {
  queue_->TakeInRest();
  stream_->Stop();
  drained_ = true;
}

void HeldReader::Forget(std::string_view end) {
  const auto to = Number(end);
  if (!to.ok()) return;
  while (!kept_.empty() && first_ + kept_.front().count <= *to) {
    first_ += kept_.front().count;
    kept_bytes_ -= BytesOf(kept_.front());
    kept_.pop_front();
  }
}

void HeldReader::Keep(std::vector<RecordSlice> slices) {
  for (RecordSlice& slice : slices) {
    end_ += slice.count;
    kept_bytes_ += BytesOf(slice);
    kept_.push_back(std::move(slice));
  }
}

void HeldReader::SkipTo(std::uint64_t position) {
  kept_.clear();
  kept_bytes_ = 0;
  first_ = end_ = position;
}

// Records [from, to), all of them kept.
std::vector<RecordSlice> HeldReader::Slices(std::uint64_t from, std::uint64_t to) const {
  std::vector<RecordSlice> slices;
  std::uint64_t at = first_;
  for (const RecordSlice& slice : kept_) {
    const std::uint64_t begin = std::max(from, at), end = std::min(to, at + slice.count);
    if (begin < end) slices.push_back({slice.block, slice.first + (begin - at), end - begin});
    at += slice.count;
  }
  return slices;
}

absl::StatusOr<std::uint64_t> HeldReader::Number(std::string_view position) const {
  std::uint64_t number = 0;
  if (ParseNumber(position, number)) return number;
  return InvalidArgument("socket ", split_, ": position '", position, "' is not a number");
}

absl::Status HeldReader::Gone(std::string_view start) const {
  return DataLoss("socket ", split_, ": records from ", start, " on are gone; this runner holds those from ", first_,
                  " to ", end_, ". A socket cannot be read twice: set the option reliable where that matters");
}

}  // namespace millrace::sockets
