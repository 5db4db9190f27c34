#include "executor/connectors/generator_source.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "executor/connectors/options.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"rate", "splits", "seed", "count", "max_records_per_batch"};
constexpr std::uint64_t kUnratedBatch = 100'000;
constexpr std::uint64_t kMaxSplits = 10'000;
constexpr std::uint64_t kMaxCount = 1ULL << 62;  // the largest index must fit SourceRecord.position

struct GeneratorOptions {
  std::uint64_t rate = 0;
  std::uint64_t splits = 2;
  std::uint64_t count = 0;
  std::uint64_t max_records = 0;
};

// How many of the first `total` global indices belong to split s.
std::uint64_t Share(std::uint64_t total, std::uint64_t split, std::uint64_t splits) {
  return total <= split ? 0 : (total - split + splits - 1) / splits;
}

class GeneratorBatch : public RecordBatch {
 public:
  GeneratorBatch(std::uint64_t from, std::uint64_t to, std::uint64_t split, std::uint64_t splits)
      : next_(from), end_(to), split_(split), splits_(splits) {}

  std::span<const engine::SourceRecord> Next() override {
    const std::size_t n = std::min<std::uint64_t>(engine::kChunkRecords, end_ - next_);
    records_.resize(n);
    for (std::size_t i = 0; i < n; ++i, ++next_) {
      records_[i].position = static_cast<std::int64_t>(next_ * splits_ + split_);
      records_[i].partition = static_cast<std::uint32_t>(split_);
    }
    return records_;
  }

 private:
  std::uint64_t next_;
  const std::uint64_t end_;
  const std::uint64_t split_;
  const std::uint64_t splits_;
  std::vector<engine::SourceRecord> records_;
};

class GeneratorReader : public SplitReader {
 public:
  GeneratorReader(const GeneratorOptions& options, std::uint64_t split, std::uint64_t start)
      : options_(options), split_(split), base_(start), opened_(std::chrono::steady_clock::now()) {
    end_ = options.count == 0 ? kMaxCount / options.splits : Share(options.count, split, options.splits);
  }

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override {
    MR_ASSIGN_OR_RETURN(const std::uint64_t from, Position(start));
    std::uint64_t limit = options_.max_records;
    if (max_records > 0) limit = limit == 0 ? max_records : std::min(limit, max_records);
    std::uint64_t to = options_.rate == 0 ? end_ : std::min(end_, base_ + Allowed());
    to = std::max(to, from);
    if (limit > 0) to = std::min(to, from + limit);
    ClosedRange range;
    range.end = std::to_string(to);
    range.records = to - from;
    range.finished = to >= end_;
    range.data = std::make_unique<GeneratorBatch>(from, to, split_, options_.splits);
    return range;
  }

  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override {
    MR_ASSIGN_OR_RETURN(const std::uint64_t from, Position(start));
    MR_ASSIGN_OR_RETURN(const std::uint64_t to, Position(end));
    if (from > to)
      return InvalidArgument("generator split gen-", split_, ": range ", start, " to ", end, " runs backwards");
    return std::make_unique<GeneratorBatch>(from, to, split_, options_.splits);
  }

 private:
  absl::StatusOr<std::uint64_t> Position(std::string_view text) const {
    std::uint64_t value = 0;
    if (!ParseNumber(text, value) || value > end_) {
      return InvalidArgument("generator split gen-", split_, ": position '", text, "' is not a number from 0 to ",
                             end_);
    }
    return value;
  }

  // This split's share of what all splits together may have made since the reader was opened.
  std::uint64_t Allowed() const {
    const std::chrono::duration<double> open = std::chrono::steady_clock::now() - opened_;
    const double total =
        std::min(open.count() * static_cast<double>(options_.rate), static_cast<double>(kMaxCount / 2));
    return Share(static_cast<std::uint64_t>(total), split_, options_.splits);
  }

  const GeneratorOptions options_;
  const std::uint64_t split_;
  const std::uint64_t base_;
  const std::chrono::steady_clock::time_point opened_;
  std::uint64_t end_ = 0;
};

class GeneratorSource : public Source {
 public:
  explicit GeneratorSource(const GeneratorOptions& options) : options_(options) {}

  absl::StatusOr<SplitList> ListSplits() override {
    SplitList list;
    for (std::uint64_t s = 0; s < options_.splits; ++s) list.splits.push_back({Concat("gen-", s), "0"});
    list.complete = true;
    return list;
  }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    std::uint64_t number = 0;
    if (!split.starts_with("gen-") || !ParseNumber(std::string_view(split).substr(4), number) ||
        number >= options_.splits) {
      return InvalidArgument("generator: no split '", split, "'; there are gen-0 to gen-", options_.splits - 1);
    }
    std::uint64_t position = 0;
    if (!ParseNumber(start, position) || position > kMaxCount / options_.splits) {
      return InvalidArgument("generator split ", split, ": start '", start, "' is not a number");
    }
    return std::make_unique<GeneratorReader>(options_, number, position);
  }

  std::string Problem() const override { return {}; }
  std::int64_t discovery_interval_ms() const override { return 60'000; }

 private:
  const GeneratorOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeGeneratorSource(const engine::OperatorDescription& description,
                                                            const SourceEnvironment& /*environment*/) {
  OptionReader reader("source", description, kNames);
  MR_RETURN_IF_ERROR(reader.CheckNames());
  GeneratorOptions options;
  MR_ASSIGN_OR_RETURN(options.rate, reader.Number("rate", 0, 0, 1'000'000'000'000));
  MR_ASSIGN_OR_RETURN(options.splits, reader.Number("splits", 2, 1, kMaxSplits));
  MR_ASSIGN_OR_RETURN(options.count, reader.Number("count", 0, 0, kMaxCount));
  // The seed shapes what the job makes of an index; here it is only checked.
  MR_RETURN_IF_ERROR(reader.Number("seed", 1, 0, ~0ULL).status());
  MR_ASSIGN_OR_RETURN(options.max_records, reader.Number("max_records_per_batch", 0, 0, kMaxCount));
  if (options.rate == 0 && options.max_records == 0) options.max_records = kUnratedBatch;
  return std::make_unique<GeneratorSource>(options);
}

}  // namespace millrace
