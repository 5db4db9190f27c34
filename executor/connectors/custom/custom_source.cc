#include "executor/connectors/custom/custom_source.h"

#include <array>
#include <mutex>
#include <set>
#include <thread>

#include "executor/connectors/custom/guard.h"
#include "executor/connectors/custom/prefetch.h"
#include "executor/connectors/custom/replay.h"

namespace millrace {
namespace {

using custom::Guarded;
using custom::Prefetch;
using custom::ReaderSettings;

constexpr std::array<std::string_view, 5> kNames = {"class", "discovery_ms", "poll_ms", "max_records_per_batch",
                                                    "prefetch_bytes"};

class CustomReader final : public SplitReader {
 public:
  CustomReader(const ReaderSettings& settings, std::shared_ptr<engine::Source> source, std::string split,
               std::shared_ptr<Prefetch> prefetch)
      : settings_(settings), source_(std::move(source)), split_(std::move(split)), prefetch_(std::move(prefetch)) {
    std::thread([prefetch = prefetch_] { prefetch->Run(); }).detach();
  }
  ~CustomReader() override { prefetch_->Stop(); }

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override {
    const std::uint64_t most = max_records == 0 ? settings_.max_records : std::min(max_records, settings_.max_records);
    MR_ASSIGN_OR_RETURN(Prefetch::Taken taken, prefetch_->Take(start, most));
    return ClosedRange{taken.end, taken.records, taken.finished,
                       std::make_unique<custom::SlicedBatch>(split_, std::move(taken.slices))};
  }

  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override {
    auto batch = custom::Replay(settings_, *source_, split_, start, end);
    if (batch.ok()) prefetch_->GoTo(end);
    return batch;
  }

 private:
  const ReaderSettings settings_;
  const std::shared_ptr<engine::Source> source_;
  const std::string split_;
  const std::shared_ptr<Prefetch> prefetch_;
};

class CustomSource final : public Source {
 public:
  CustomSource(ReaderSettings settings, std::int64_t discovery_ms, std::shared_ptr<engine::Source> source)
      : settings_(std::move(settings)), discovery_ms_(discovery_ms), source_(std::move(source)) {}

  absl::StatusOr<SplitList> ListSplits() override {
    engine::SplitList theirs;
    MR_RETURN_IF_ERROR(Guarded(settings_.where, "ListSplits", [&] { theirs = source_->ListSplits(); }));
    SplitList list{{}, theirs.complete};
    std::set<std::string_view> names;
    for (const engine::SplitStart& split : theirs.splits) {
      if (split.name.empty() || split.start.empty())
        return InvalidArgument(settings_.where, ": ListSplits gave a split without ",
                               split.name.empty() ? "a name" : "a position to start at");
      if (!names.insert(split.name).second)
        return InvalidArgument(settings_.where, ": ListSplits gave the split '", split.name, "' twice");
      list.splits.push_back({split.name, split.start});
    }
    return list;
  }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    auto prefetch = std::make_shared<Prefetch>(settings_, source_, split, start);
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(open_, [](const auto& entry) { return entry.expired(); });
      open_.push_back(prefetch);
    }
    return std::make_unique<CustomReader>(settings_, source_, split, std::move(prefetch));
  }

  std::string Problem() const override {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : open_) {
      if (const auto prefetch = entry.lock()) {
        if (std::string text = prefetch->problem(); !text.empty()) return text;
      }
    }
    return {};
  }
  std::int64_t discovery_interval_ms() const override { return discovery_ms_; }

 private:
  const ReaderSettings settings_;
  const std::int64_t discovery_ms_;
  const std::shared_ptr<engine::Source> source_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<Prefetch>> open_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeCustomSource(const engine::OperatorDescription& description,
                                                         const SourceEnvironment& environment) {
  OptionReader options("source", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  ReaderSettings settings;
  settings.where = custom::WhereOf("source", description);
  MR_ASSIGN_OR_RETURN(settings.poll_ms, options.Number("poll_ms", 50, 1, 3'600'000));
  MR_ASSIGN_OR_RETURN(settings.max_records, options.Number("max_records_per_batch", 100'000, 1, 1ULL << 40));
  MR_ASSIGN_OR_RETURN(settings.prefetch_bytes, options.Number("prefetch_bytes", 16 << 20, 64 << 10, 1ULL << 40));
  MR_ASSIGN_OR_RETURN(const std::uint64_t discovery_ms, options.Number("discovery_ms", 5000, 10, 86'400'000));
  auto source = environment.program == nullptr ? nullptr : environment.program->FindSource(description.id);
  if (!source)
    return InvalidArgument(settings.where, ": the job library has no such source; add it with ctx.FromSource");
  return std::make_unique<CustomSource>(std::move(settings), static_cast<std::int64_t>(discovery_ms),
                                        std::move(source));
}

}  // namespace millrace
