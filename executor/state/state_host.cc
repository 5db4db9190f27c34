#include "executor/state/state_host.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "common/io/sha256.h"
#include "common/log.h"
#include "executor/state/change_log.h"
#include "executor/state/posix_checkpoint_store.h"
#include "executor/state/rocks_state.h"
#include "executor/state/state_merge.h"

namespace millrace {
namespace {

constexpr std::uint64_t kLeastMemoryBytes = std::uint64_t{16} << 20;
// Of changes in memory: small enough to be put in order quickly.
constexpr std::size_t kMostSetBytes = std::size_t{16} << 20;
// Of a state in memory, encoded in one go while the partition's next task may be waiting.
constexpr std::size_t kTakenAtOnce = 2048;

std::string RandomName() {
  std::random_device random;
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(random()));
  return ToHex(bytes);
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? ErrnoStatus(error.value(), Concat("cannot remove ", path)) : absl::OkStatus();
}

// What the state in memory says has changed, in sets of a bounded size.
class ChangeSets final : public engine::StateChanges {
 public:
  void Put(std::string_view key, std::string_view value) override { Room().Put(key, value); }
  void Delete(std::string_view key) override { Room().Delete(key); }

  std::vector<WriteSet> Take() { return std::exchange(sets_, {}); }

 private:
  WriteSet& Room() {
    if (sets_.empty() || sets_.back().bytes() >= kMostSetBytes) sets_.emplace_back();
    return sets_.back();
  }
  std::vector<WriteSet> sets_;
};

template <class Act>
absl::Status CallLibrary(std::string_view doing, TaskKey task, Act&& act) {
  std::string what = "an exception that is no std::exception";
  try {
    act();
    return absl::OkStatus();
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  return FailedPrecondition(doing, " the state of stage ", task.stage, " partition ", task.partition,
                            ": the job library threw: ", what);
}

}  // namespace

struct StateHost::Partition {
  std::shared_ptr<ChangeLog> log;
  std::unique_ptr<RocksStore> store;  // null: in memory
  ChangeSets changes;                 // of the snapshot that is being taken
  std::weak_ptr<StateSnapshot> taking;
  bool dropped = false;
  std::unique_ptr<engine::State> state;
  std::atomic<std::uint64_t> state_bytes{0};

  // An error of the store comes as an exception through the library, which does not know its kind.
  absl::Status Explain(absl::Status status) const {
    return status.ok() || !store || store->status().ok() ? status : store->status();
  }
};

StateHost::StateHost(const engine::Program& program, StateHostOptions options)
    : program_(program), scratch_dir_(options.scratch_dir), places_(std::make_shared<StatePlaces>()) {
  MR_CHECK(options.checkpoints && options.deltas_per_base > 0 && !scratch_dir_.empty());
  places_->checkpoints = std::move(options.checkpoints);
  places_->job_id = std::move(options.job_id);
  places_->unique = RandomName();
  places_->deltas_per_base = options.deltas_per_base;
  opened_ = RemoveTree(scratch_dir_);
  if (!opened_.ok()) return;
  auto scratch = PosixCheckpointStore::Make({.root = scratch_dir_ + "/changes", .durable = false});
  opened_ = scratch.status();
  if (!opened_.ok()) return;
  places_->scratch = *std::move(scratch);
  if (program.description().state_backend != engine::StateBackend::kRocksDb) return;
  rocks_ =
      std::make_unique<RocksState>(scratch_dir_ + "/rocksdb", std::max(options.memory_budget_bytes, kLeastMemoryBytes));
}

StateHost::~StateHost() {
  partitions_.clear();
  rocks_.reset();
  if (!opened_.ok()) return;
  if (const absl::Status status = RemoveTree(scratch_dir_); !status.ok())
    log::Warn("state could not be removed", {{"dir", scratch_dir_}, {"error", Message(status)}});
}

std::shared_ptr<StateHost::Partition> StateHost::Get(TaskKey task) const {
  std::lock_guard lock(mutex_);
  const auto at = partitions_.find(task);
  return at == partitions_.end() ? nullptr : at->second;
}

absl::StatusOr<std::shared_ptr<StateHost::Partition>> StateHost::Make(TaskKey task, const StateChain& chain) {
  MR_ASSIGN_OR_RETURN(auto runs, OpenChain(*places_->checkpoints, chain));
  MergeCursor entries(std::move(runs), Deleted::kDrop);
  auto partition = std::make_shared<Partition>();
  partition->log = std::make_shared<ChangeLog>(places_, task, chain);
  if (rocks_) {
    MR_ASSIGN_OR_RETURN(partition->store, rocks_->Load(entries, partition->log));
  }
  absl::Status read;
  absl::Status status = CallLibrary("restoring", task, [&] {
    partition->state = program_.NewState(task.stage, task.partition, partition->store.get());
    if (!partition->state) throw std::logic_error("NewState gave nothing");
    while (!rocks_) {
      const auto more = entries.Next();
      read = more.status();
      if (!more.ok()) return;
      if (!*more) break;
      partition->state->Load(entries.key(), entries.value());
    }
    partition->state->Loaded();
    partition->state_bytes = partition->state->bytes();
  });
  MR_RETURN_IF_ERROR(read);
  MR_RETURN_IF_ERROR(partition->Explain(std::move(status)));
  if (partition->store) MR_RETURN_IF_ERROR(partition->store->Commit());
  return partition;
}

absl::Status StateHost::Restore(TaskKey task, const StateChain& chain) {
  MR_RETURN_IF_ERROR(opened_);
  Drop(task);
  auto made = Make(task, chain);
  if (!made.ok())
    return Annotate(made.status(), "restoring stage ", task.stage, " partition ", task.partition, " from ",
                    chain.size(), " files");
  std::lock_guard lock(mutex_);
  partitions_[task] = *std::move(made);
  return absl::OkStatus();
}

engine::State* StateHost::Find(TaskKey task) const {
  const auto partition = Get(task);
  return partition ? partition->state.get() : nullptr;
}

absl::Status StateHost::Commit(TaskKey task) {
  const auto partition = Get(task);
  if (!partition) return NotFound("there is no state of stage ", task.stage, " partition ", task.partition, " here");
  partition->state_bytes = partition->state->bytes();
  return partition->store ? partition->store->Commit() : absl::OkStatus();
}

void StateHost::Drop(TaskKey task) {
  std::shared_ptr<Partition> dropped;
  {
    std::lock_guard lock(mutex_);
    const auto at = partitions_.find(task);
    if (at == partitions_.end()) return;
    dropped = std::move(at->second);
    partitions_.erase(at);
  }
  dropped->log->Abandon();
  dropped->dropped = true;
  // Freeing a large state takes its time: not under the lock.
  dropped.reset();
}

absl::StatusOr<std::shared_ptr<StateSnapshot>> StateHost::BeginSnapshot(TaskKey task, std::uint64_t batch) {
  const auto partition = Get(task);
  if (!partition) return NotFound("there is no state of stage ", task.stage, " partition ", task.partition, " here");
  // The one before may still be on its way, when checkpoints are very close.
  while (const auto before = partition->taking.lock()) MR_RETURN_IF_ERROR(TakeMore(*before).status());
  auto snapshot = std::make_shared<StateSnapshot>(partition->log, task, batch);
  snapshot->taken_from_ = partition;
  if (partition->store) {
    MR_RETURN_IF_ERROR(partition->store->GiveChanges());
    MR_RETURN_IF_ERROR(Complete(*snapshot));
  } else {
    partition->taking = snapshot;
    MR_RETURN_IF_ERROR(CallLibrary("taking", task, [&] { partition->state->TakeChanges(partition->changes); }));
  }
  return snapshot;
}

absl::StatusOr<bool> StateHost::TakeMore(StateSnapshot& snapshot) {
  if (!snapshot.taken_from_) return false;
  Partition& partition = *snapshot.taken_from_;
  const TaskKey task = snapshot.task();
  if (partition.dropped) {
    snapshot.taken_from_.reset();
    return NotFound("the state of stage ", task.stage, " partition ", task.partition,
                    " was dropped before its snapshot was complete");
  }
  bool more = false;
  MR_RETURN_IF_ERROR(CallLibrary("taking", task, [&] { more = partition.state->TakeMore(kTakenAtOnce); }));
  if (!more) MR_RETURN_IF_ERROR(Complete(snapshot));
  return more;
}

absl::Status StateHost::Complete(StateSnapshot& snapshot) {
  const auto partition = std::exchange(snapshot.taken_from_, nullptr);
  partition->taking.reset();
  ChangeLog& log = *partition->log;
  // The changes before these may still be waiting to be saved.
  const bool waiting = log.memory_bytes() > 0;
  for (WriteSet& set : partition->changes.Take()) {
    if (waiting) {
      MR_RETURN_IF_ERROR(log.AddOnDisk(std::move(set)));
    } else {
      log.Add(std::move(set));
    }
  }
  snapshot.interval_ = log.Seal();
  return absl::OkStatus();
}

absl::StatusOr<StateChain> StateHost::Save(StateSnapshot& snapshot) {
  return snapshot.log_->Save(snapshot.interval_, snapshot.batch_);
}

absl::StatusOr<std::vector<DamagedFile>> StateHost::FindDamaged(const StateChain& chain) const {
  return millrace::FindDamaged(*places_->checkpoints, chain);
}

StateChain StateHost::ChainOf(const StateSnapshot& snapshot) const { return snapshot.log_->chain(); }

absl::Status StateHost::Delete(const std::vector<std::string>& names) {
  absl::Status first;
  for (const std::string& name : names) {
    absl::Status status = places_->checkpoints->Delete(name);
    if (first.ok()) first = std::move(status);
  }
  return first;
}

StateStats StateHost::stats() const {
  StateStats stats;
  std::lock_guard lock(mutex_);
  for (const auto& [task, partition] : partitions_) {
    ++stats.partitions;
    stats.memory_bytes += partition->state_bytes + partition->log->memory_bytes();
    if (partition->store) stats.memory_bytes += partition->store->memory_bytes();
  }
  if (!rocks_) return stats;
  stats.entries = rocks_->entries();
  stats.memory_bytes += rocks_->memory_bytes();
  stats.disk_bytes = rocks_->disk_bytes();
  return stats;
}

}  // namespace millrace
