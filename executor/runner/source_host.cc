#include "executor/runner/source_host.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/log.h"
#include "common/status.h"

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kListRetry{1000};

bool IsPermanent(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsInvalidArgument(status) || absl::IsPermissionDenied(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SourceHost>> SourceHost::Make(const engine::GraphDescription& graph,
                                                             const SourceEnvironment& environment, OnSplits on_splits) {
  auto host = std::unique_ptr<SourceHost>(new SourceHost(std::move(on_splits)));
  for (const engine::StageDescription& stage : graph.stages) {
    const engine::OperatorDescription& op = graph.operators[stage.root];
    if (op.kind != engine::OperatorKind::kSource) continue;
    auto source = MakeSource(op, environment);
    if (!source.ok()) return Annotate(source.status(), op.name, " at ", op.location);
    Entry& entry = host->sources_[op.id];
    entry.source = *std::move(source);
    entry.replayable = op.replayable;
  }
  return host;
}

SourceHost::~SourceHost() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& [op, entry] : sources_) {
    if (entry.lister.joinable()) entry.lister.join();
  }
}

std::shared_ptr<SourceHost::Reader> SourceHost::ReaderOf(const SplitKey& split) {
  std::lock_guard lock(mutex_);
  auto& reader = readers_[split];
  if (!reader) {
    reader = std::make_shared<Reader>();
    if (const auto before = released_.extract(split)) reader->before = before.mapped().lock();
  }
  return reader;
}

absl::Status SourceHost::Open(Reader& reader, const SplitKey& split, std::string_view start) {
  if (reader.reader) return absl::OkStatus();
  if (const auto before = std::exchange(reader.before, nullptr)) before->Close();
  MR_ASSIGN_OR_RETURN(reader.reader, sources_.at(split.source).source->OpenSplit(split.split, start));
  return absl::OkStatus();
}

absl::StatusOr<ClosedRange> SourceHost::Close(const SplitKey& split, std::string_view start,
                                              std::uint64_t max_records) {
  const auto reader = ReaderOf(split);
  std::lock_guard lock(reader->mutex);  // a reader that was released and is asked for again may still be in use
  MR_RETURN_IF_ERROR(Open(*reader, split, start));
  bool drain = false;
  {
    std::lock_guard lock_all(mutex_);
    drain = draining_.contains(split);
  }
  if (drain) reader->reader->Drain();
  return reader->reader->Close(start, max_records);
}

void SourceHost::Drain(const SplitKey& split) {
  std::lock_guard lock(mutex_);
  draining_.insert(split);
}

absl::StatusOr<std::unique_ptr<RecordBatch>> SourceHost::Read(const Range& range) {
  const auto reader = ReaderOf(range.key);
  std::lock_guard lock(reader->mutex);
  MR_RETURN_IF_ERROR(Open(*reader, range.key, range.start));
  return reader->reader->Read(range.start, range.end);
}

std::function<void()> SourceHost::Release(const SplitKey& split) {
  std::lock_guard lock(mutex_);
  draining_.erase(split);
  std::erase_if(released_, [](const auto& entry) { return entry.second.expired(); });
  const auto released = readers_.extract(split);
  if (!released) return [] {};
  released_[split] = released.mapped();
  return [reader = released.mapped()] { reader->Close(); };
}

void SourceHost::Forget(const SplitKey& split, std::string_view end) {
  std::shared_ptr<Reader> reader;
  {
    std::lock_guard lock(mutex_);
    const auto it = readers_.find(split);
    if (it == readers_.end()) return;
    reader = it->second;
  }
  std::lock_guard lock(reader->mutex);
  if (reader->reader) reader->reader->Forget(end);
}

void SourceHost::Enumerate(const std::vector<std::uint32_t>& wanted, const std::vector<std::uint32_t>& resumed) {
  {
    std::lock_guard lock(mutex_);
    for (auto& [op, entry] : sources_) {
      entry.listing = entry.asked = std::ranges::find(wanted, op) != wanted.end();
      entry.resumed = entry.resumed || std::ranges::find(resumed, op) != resumed.end();
      if (entry.listing && !entry.lister.joinable())
        entry.lister = std::thread([this, op = op, &entry = entry] { List(op, entry); });
    }
  }
  wake_.notify_all();
}

// The thread of one source, for the host's life: lists when it is asked to, and from then on again and again.
void SourceHost::List(std::uint32_t op, Entry& entry) {
  const auto told = [&] { return stopping_ || (entry.listing && entry.asked); };
  std::optional<std::chrono::milliseconds> again;
  bool resumed = false;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (entry.listing && again) {
      wake_.wait_for(lock, *again, told);
    } else {
      wake_.wait(lock, told);
    }
    if (stopping_) return;
    if (!entry.listing) continue;
    entry.asked = false;
    const bool resume = entry.resumed && !std::exchange(resumed, entry.resumed);
    lock.unlock();
    if (resume) entry.source->Resume();
    again = ListOnce(op, *entry.source);
    lock.lock();
  }
}

// When to list again; never when there is nothing more to come.
std::optional<std::chrono::milliseconds> SourceHost::ListOnce(std::uint32_t op, Source& source) {
  const auto listed = source.ListSplits();
  SplitReport report;
  report.source = op;
  if (listed.ok()) {
    for (const SplitStart& split : listed->splits) report.splits.push_back({split.split, split.start});
    report.complete = listed->complete;
  } else {
    report.problem = Message(listed.status());
    report.permanent = IsPermanent(listed.status());
    log::Warn("cannot list splits", {{"operator", op}, {"why", report.problem}});
  }
  on_splits_(std::move(report));
  if (!listed.ok()) return kListRetry;
  if (listed->complete) return std::nullopt;
  return std::chrono::milliseconds(source.discovery_interval_ms());
}

std::vector<std::pair<std::uint32_t, std::string>> SourceHost::Problems() const {
  std::vector<std::pair<std::uint32_t, std::string>> problems;
  for (const auto& [op, entry] : sources_) {
    if (std::string text = entry.source->Problem(); !text.empty()) problems.emplace_back(op, std::move(text));
  }
  return problems;
}

}  // namespace millrace
