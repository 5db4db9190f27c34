#include "executor/connectors/socket_source.h"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>

#include "executor/connectors/line_receiver.h"
#include "executor/connectors/options.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"host", "port", "max_line_bytes"};
constexpr std::uint64_t kMaxLineBytes = 16 * 1024 * 1024;

class LinesBatch : public RecordBatch {
 public:
  LinesBatch(std::vector<LineSlice> slices, std::uint64_t first_line)
      : slices_(std::move(slices)), position_(first_line) {}

  std::span<const engine::SourceRecord> Next() override {
    records_.clear();
    while (records_.size() < engine::kChunkRecords && slice_ < slices_.size()) {
      const LineSlice& slice = slices_[slice_];
      const std::size_t n = std::min(engine::kChunkRecords - records_.size(), slice.count - used_);
      for (std::size_t i = 0; i < n; ++i) {
        const LineBlock::Line line = slice.block->lines[slice.first + used_ + i];
        engine::SourceRecord& record = records_.emplace_back();
        record.value = std::string_view(slice.block->text).substr(line.begin, line.size);
        record.position = static_cast<std::int64_t>(position_++);
      }
      used_ += n;
      if (used_ == slice.count) ++slice_, used_ = 0;
    }
    return records_;
  }

 private:
  const std::vector<LineSlice> slices_;
  std::size_t slice_ = 0;
  std::size_t used_ = 0;
  std::uint64_t position_;
  std::vector<engine::SourceRecord> records_;
};

// Hands lines out and keeps them until it may forget them: a batch may be cut again, or computed again here, though no
// other runner could. Holds a bounded amount; then it takes no new lines, and TCP pushes back on the sender.
class SocketReader : public SplitReader {
 public:
  SocketReader(std::string split, std::shared_ptr<LineReceiver> receiver, std::uint64_t start)
      : split_(std::move(split)), receiver_(std::move(receiver)), first_(start), end_(start) {}

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override {
    std::uint64_t from = 0;
    if (!ParseNumber(start, from)) return NoNumber(start);
    if (from < first_) return Gone(start);
    if (from > end_) SkipTo(from);  // what is between was lost with the runner that had it
    const std::uint64_t held = end_ - from;
    if (kept_bytes_ < kMaxKeptBytes && (max_records == 0 || held < max_records))
      Keep(receiver_->Take(max_records == 0 ? 0 : max_records - held));
    ClosedRange range;
    const std::uint64_t to = max_records == 0 ? end_ : std::min(end_, from + max_records);
    range.records = to - from;
    range.end = std::to_string(to);
    range.data = std::make_unique<LinesBatch>(Slices(from, to), from);
    return range;
  }

  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override {
    std::uint64_t from = 0, to = 0;
    if (!ParseNumber(start, from)) return NoNumber(start);
    if (!ParseNumber(end, to)) return NoNumber(end);
    if (from >= first_ && to <= end_) return std::make_unique<LinesBatch>(Slices(from, to), from);
    if (to > end_) SkipTo(to);
    if (from == to) return std::make_unique<LinesBatch>(std::vector<LineSlice>(), to);
    return Gone(start);
  }

  void Forget(std::string_view end) override {
    std::uint64_t to = 0;
    if (!ParseNumber(end, to)) return;
    while (!kept_.empty() && first_ + kept_.front().count <= to) {
      first_ += kept_.front().count;
      kept_bytes_ -= BytesOf(kept_.front());
      kept_.pop_front();
    }
  }

 private:
  static constexpr std::size_t kMaxKeptBytes = std::size_t{64} << 20;

  static std::size_t BytesOf(const LineSlice& slice) {
    return slice.block->memory() * slice.count / std::max<std::size_t>(1, slice.block->lines.size());
  }
  void Keep(std::vector<LineSlice> slices) {
    for (LineSlice& slice : slices) {
      end_ += slice.count;
      kept_bytes_ += BytesOf(slice);
      kept_.push_back(std::move(slice));
    }
  }
  void SkipTo(std::uint64_t position) {
    kept_.clear();
    kept_bytes_ = 0;
    first_ = end_ = position;
  }
  // Lines [from, to), all of them kept.
  std::vector<LineSlice> Slices(std::uint64_t from, std::uint64_t to) const {
    std::vector<LineSlice> slices;
    std::uint64_t at = first_;
    for (const LineSlice& slice : kept_) {
      const std::uint64_t begin = std::max(from, at), end = std::min(to, at + slice.count);
      if (begin < end) slices.push_back({slice.block, slice.first + (begin - at), end - begin});
      at += slice.count;
    }
    return slices;
  }
  absl::Status NoNumber(std::string_view position) const {
    return InvalidArgument("socket ", split_, ": position '", position, "' is not a number");
  }
  absl::Status Gone(std::string_view start) const {
    return DataLoss("socket ", split_, ": lines from ", start, " on are gone; this runner holds those from ", first_,
                    " to ", end_, ". A socket cannot be read twice: use a replayable source where that matters");
  }

  const std::string split_;
  const std::shared_ptr<LineReceiver> receiver_;
  std::deque<LineSlice> kept_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t first_;  // position of the first line that is kept
  std::uint64_t end_;    // after the last
};

class SocketSource : public Source {
 public:
  SocketSource(std::string host, std::string port, std::size_t max_line_bytes)
      : host_(std::move(host)),
        port_(std::move(port)),
        split_(Concat(host_, ":", port_)),
        max_line_bytes_(max_line_bytes) {}

  absl::StatusOr<SplitList> ListSplits() override { return SplitList{{{split_, "0"}}, true}; }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    if (split != split_) return InvalidArgument("socket: no split '", split, "'; there is only ", split_);
    std::uint64_t position = 0;
    if (!ParseNumber(start, position)) {
      return InvalidArgument("socket ", split_, ": start '", start, "' is not a number");
    }
    MR_ASSIGN_OR_RETURN(std::shared_ptr<LineReceiver> receiver, LineReceiver::Start(host_, port_, max_line_bytes_));
    {
      std::lock_guard lock(mutex_);
      receiver_ = receiver;
    }
    return std::make_unique<SocketReader>(split_, std::move(receiver), position);
  }

  std::string Problem() const override {
    std::shared_ptr<LineReceiver> receiver;
    {
      std::lock_guard lock(mutex_);
      receiver = receiver_.lock();
    }
    return receiver == nullptr ? std::string() : receiver->problem();
  }

  std::int64_t discovery_interval_ms() const override { return 60'000; }

 private:
  const std::string host_;
  const std::string port_;
  const std::string split_;
  const std::size_t max_line_bytes_;
  mutable std::mutex mutex_;
  std::weak_ptr<LineReceiver> receiver_;  // of the newest reader; the reader owns it
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeSocketSource(const engine::OperatorDescription& description,
                                                         const std::string& /*job_id*/) {
  OptionReader options("source", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  MR_ASSIGN_OR_RETURN(std::string host, options.Required("host"));
  MR_RETURN_IF_ERROR(options.Required("port").status());
  MR_ASSIGN_OR_RETURN(const std::uint64_t port, options.Number("port", 0, 1, 65535));
  MR_ASSIGN_OR_RETURN(const std::uint64_t max_line, options.Number("max_line_bytes", 1024 * 1024, 1, kMaxLineBytes));
  return std::make_unique<SocketSource>(std::move(host), std::to_string(port), max_line);
}

}  // namespace millrace
