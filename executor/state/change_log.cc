#include "executor/state/change_log.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/log.h"
#include "executor/state/state_merge.h"

namespace millrace {
namespace {

// So many runs of one interval on disk are merged into fewer: each that is read takes a buffer.
constexpr std::size_t kMostRuns = 24;
constexpr std::size_t kFewestFolded = 12;

}  // namespace

// Some changes: a set in memory, or a file in the scratch folder that goes with its run.
struct ChangeLog::Run {
  ~Run() {
    if (name.empty()) return;
    if (const absl::Status status = places->scratch->Delete(name); !status.ok())
      log::Warn("changes of state could not be removed", {{"file", name}, {"error", Message(status)}});
  }

  std::shared_ptr<StatePlaces> places;
  std::uint64_t interval = 0;
  std::uint64_t bytes = 0;         // what it adds to a file, roughly
  std::uint64_t memory_bytes = 0;  // none when on disk
  std::string name;                // empty: in memory
  WriteSet set;                    // until a Save, on its own thread, puts it in order
  std::shared_ptr<const SortedSet> sorted;
};

ChangeLog::ChangeLog(std::shared_ptr<StatePlaces> places, TaskKey task, StateChain chain)
    : places_(std::move(places)), task_(task), chain_(std::move(chain)) {}

ChangeLog::~ChangeLog() = default;

void ChangeLog::Add(WriteSet set) {
  if (set.empty()) return;
  auto run = std::make_shared<Run>();
  run->bytes = set.payload_bytes();
  run->memory_bytes = set.bytes();
  run->set = std::move(set);
  std::lock_guard lock(mutex_);
  run->interval = interval_;
  runs_.push_back(std::move(run));
}

absl::Status ChangeLog::AddOnDisk(WriteSet set) {
  if (set.empty()) return absl::OkStatus();
  const auto entries = SortedSet::Read(std::make_shared<SortedSet>(std::move(set)));
  // Only this thread changes it.
  MR_ASSIGN_OR_RETURN(auto run, WriteRun(*entries, interval_));
  {
    std::lock_guard lock(mutex_);
    runs_.push_back(std::move(run));
  }
  return Fold();
}

absl::StatusOr<std::shared_ptr<ChangeLog::Run>> ChangeLog::WriteRun(EntryCursor& entries, std::uint64_t interval) {
  auto run = std::make_shared<Run>();
  const std::string name = places_->NewName(task_, interval, false);
  MR_ASSIGN_OR_RETURN(const StateFileTotals totals, WriteStateFile(entries, *places_->scratch, name));
  run->places = places_;
  run->interval = interval;
  run->bytes = totals.bytes;
  run->name = name;
  return run;
}

// Merges the newest runs of the open interval when there are many. A run takes part when those newer than it are
// together at least as large; so each change is written again only about as often as the sizes double.
absl::Status ChangeLog::Fold() {
  Runs folded;
  {
    std::lock_guard lock(mutex_);
    std::uint64_t newer = 0;
    for (auto run = runs_.rbegin(); run != runs_.rend() && (*run)->interval == interval_ && !(*run)->name.empty();
         ++run) {
      if (folded.size() >= kFewestFolded && (*run)->bytes > newer) break;
      newer += (*run)->bytes;
      folded.push_back(*run);
    }
    if (static_cast<std::size_t>(std::count_if(
            runs_.begin(), runs_.end(), [&](const auto& run) { return run->interval == interval_; })) < kMostRuns) {
      return absl::OkStatus();
    }
  }
  if (folded.size() < kFewestFolded) return absl::OkStatus();
  std::reverse(folded.begin(), folded.end());
  MR_ASSIGN_OR_RETURN(auto cursors, Open(folded));
  MergeCursor merged(std::move(cursors), Deleted::kKeep);
  MR_ASSIGN_OR_RETURN(auto run, WriteRun(merged, interval_));
  Replace(folded, std::move(run));
  return absl::OkStatus();
}

// The runs are neighbours; the one that says the same takes their place.
void ChangeLog::Replace(const Runs& runs, std::shared_ptr<Run> by) {
  std::lock_guard lock(mutex_);
  const auto first = std::find(runs_.begin(), runs_.end(), runs.front());
  MR_CHECK(first != runs_.end() && static_cast<std::size_t>(runs_.end() - first) >= runs.size());
  *first = std::move(by);
  runs_.erase(first + 1, first + static_cast<std::ptrdiff_t>(runs.size()));
}

std::uint64_t ChangeLog::Seal() {
  std::lock_guard lock(mutex_);
  return interval_++;
}

absl::StatusOr<std::vector<std::unique_ptr<EntryCursor>>> ChangeLog::Open(const Runs& runs) const {
  std::vector<std::unique_ptr<EntryCursor>> cursors;
  for (const auto& run : runs) {
    if (!run->name.empty()) {
      MR_ASSIGN_OR_RETURN(auto reader, StateFileReader::Open(*places_->scratch, run->name));
      cursors.push_back(std::move(reader));
      continue;
    }
    if (!run->sorted) run->sorted = std::make_shared<SortedSet>(std::exchange(run->set, WriteSet()));
    cursors.push_back(SortedSet::Read(run->sorted));
  }
  return cursors;
}

// A base is read whole when the partition is restored, and so are its deltas: they must not be many, nor more than it.
bool ChangeLog::WantsBase(const StateChain& chain, const Runs& runs) const {
  if (chain.empty() || chain.size() > static_cast<std::size_t>(places_->deltas_per_base)) return true;
  std::uint64_t deltas = 0;
  for (std::size_t i = 1; i < chain.size(); ++i) deltas += chain[i].bytes;
  for (const auto& run : runs) deltas += run->bytes;
  return deltas > chain.front().bytes;
}

absl::StatusOr<StateFile> ChangeLog::Write(const StateChain& chain, const Runs& runs, std::uint64_t batch, bool base) {
  std::vector<std::unique_ptr<EntryCursor>> cursors;
  if (base) {
    MR_ASSIGN_OR_RETURN(cursors, OpenChain(*places_->checkpoints, chain));
  }
  MR_ASSIGN_OR_RETURN(auto changes, Open(runs));
  std::move(changes.begin(), changes.end(), std::back_inserter(cursors));
  MergeCursor merged(std::move(cursors), base ? Deleted::kDrop : Deleted::kKeep);
  const std::string name = places_->NewName(task_, batch, base);
  MR_ASSIGN_OR_RETURN(const StateFileTotals totals, WriteStateFile(merged, *places_->checkpoints, name));
  return StateFile{name, totals.bytes, totals.entries, base};
}

absl::Status ChangeLog::CheckWanted(std::uint64_t interval) const {
  if (abandoned_) {
    return FailedPrecondition("the state of stage ", task_.stage, " partition ", task_.partition,
                              " is not saved: it is not here any more");
  }
  std::lock_guard lock(mutex_);
  if (interval >= saved_) return absl::OkStatus();
  return FailedPrecondition("the state of stage ", task_.stage, " partition ", task_.partition,
                            " is not saved: it was, as of a later batch");
}

absl::StatusOr<StateChain> ChangeLog::Save(std::uint64_t interval, std::uint64_t batch) {
  MR_RETURN_IF_ERROR(CheckWanted(interval));
  StateChain chain;
  Runs runs;
  {
    std::lock_guard lock(mutex_);
    chain = chain_;
    const auto end =
        std::find_if(runs_.begin(), runs_.end(), [&](const auto& run) { return run->interval > interval; });
    runs.assign(runs_.begin(), end);
  }
  if (runs.empty()) {
    std::lock_guard lock(mutex_);
    saved_ = interval;
    return chain;
  }
  const bool base = WantsBase(chain, runs);
  auto file = Write(chain, runs, batch, base);
  if (!file.ok()) {
    Consolidate(runs);
    return Annotate(file.status(), "saving the state of stage ", task_.stage, " partition ", task_.partition,
                    " after batch ", batch);
  }
  if (const absl::Status wanted = CheckWanted(interval); !wanted.ok()) {
    (void)places_->checkpoints->Delete(file->name);
    return wanted;
  }
  if (base) chain.clear();
  chain.push_back(*std::move(file));
  std::lock_guard lock(mutex_);
  chain_ = chain;
  saved_ = interval;
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(runs.size()));
  return chain;
}

// What could not be saved must not gather in memory, nor in ever more files. When the scratch folder takes nothing
// either, all stays as it is until the next Save.
void ChangeLog::Consolidate(const Runs& runs) {
  if (runs.size() == 1 && !runs.front()->name.empty()) return;
  auto cursors = Open(runs);
  if (!cursors.ok()) return;
  MergeCursor merged(*std::move(cursors), Deleted::kKeep);
  auto run = WriteRun(merged, runs.back()->interval);
  if (run.ok()) Replace(runs, *std::move(run));
}

StateChain ChangeLog::chain() const {
  std::lock_guard lock(mutex_);
  return chain_;
}

std::uint64_t ChangeLog::memory_bytes() const {
  std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& run : runs_) bytes += run->memory_bytes;
  return bytes;
}

}  // namespace millrace
