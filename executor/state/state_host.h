// The state of all partitions that a runner has: made anew from checkpoints, given to tasks, and saved while later
// batches go on. In memory or in RocksDB, as the job has it; what is saved is the same.
//
//   StateHost host(program, {.scratch_dir = …, .memory_budget_bytes = …, .checkpoints = store, .job_id = "j-1"});
//   MR_RETURN_IF_ERROR(host.Restore(task, chain));
//   context.state = host.Find(task);  …  engine_task->Finish();
//   MR_RETURN_IF_ERROR(host.Commit(task));
//   MR_ASSIGN_OR_RETURN(auto snapshot, host.BeginSnapshot(task, batch));        // on the worker, between tasks
//   MR_ASSIGN_OR_RETURN(const bool more, host.TakeMore(*snapshot));             // there, too, until there is no more
//   MR_ASSIGN_OR_RETURN(const StateChain chain, host.Save(*snapshot));          // in the background
//
// Thread rule: calls for one TaskKey never overlap, but a Save may run beside all others, Restore and Drop included;
// Saves of one TaskKey are called in order, one at a time, one for each snapshot that is complete. Different TaskKeys
// run concurrently. stats and Delete may be called at any time. Snapshots may outlive the partition, but not the host.
//
// Errors. After any but those of Save and Delete, and after a task that has thrown, the partition is only good for Drop
// or Restore. A Save that fails loses nothing: it may be tried again, and the next one has its changes, too. NotFound:
// not restored, or a file of the chain is missing; DataLoss: a file, or the database, is damaged; ResourceExhausted: a
// disk is full; FailedPrecondition: the library refuses the entries, the calls come in a wrong order, or there is no
// point any more in a Save.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/dataflow/messages.h"
#include "common/status.h"
#include "executor/state/checkpoint_store.h"
#include "executor/state/state_chain.h"
#include "millrace/engine.h"

namespace millrace {

class ChangeLog;
class RocksState;

struct StateHostOptions {
  std::string scratch_dir;  // the host's alone: what is in it is removed at the start and at the end
  std::uint64_t memory_budget_bytes =
      0;  // RocksDB: the cap on its memory and on that of changes; at least 16 MiB count
  std::shared_ptr<CheckpointStore> checkpoints;
  std::string job_id;
  int deltas_per_base = 8;
};

struct StateStats {
  std::uint64_t partitions = 0;
  std::uint64_t entries = 0;       // RocksDB: roughly; in memory: 0, for the library does not say
  std::uint64_t memory_bytes = 0;  // roughly
  std::uint64_t disk_bytes = 0;    // RocksDB's files
};

class StateSnapshot;

class StateHost {
 public:
  // The program outlives the host.
  StateHost(const engine::Program& program, StateHostOptions options);
  ~StateHost();

  // Makes the partition's state anew from a chain of files, the oldest first; of none: the empty state. What the
  // partition had before is dropped.
  absl::Status Restore(TaskKey task, const StateChain& chain);

  // Null when it is not restored. Valid until Restore or Drop.
  engine::State* Find(TaskKey task) const;

  // A task's Finish has returned: its writes are state now.
  absl::Status Commit(TaskKey task);

  // Moved away, or failed.
  void Drop(TaskKey task);

  // Begins to take what has changed since the last one; cheap. `batch` is the last one whose task was committed. Tasks
  // may go on at once.
  absl::StatusOr<std::shared_ptr<StateSnapshot>> BeginSnapshot(TaskKey task, std::uint64_t batch);
  // Takes some more of it, for a millisecond or so. False: it is complete and can be saved. NotFound: the partition
  // was dropped before it was complete, and nobody wants it any more.
  absl::StatusOr<bool> TakeMore(StateSnapshot& snapshot);

  // Writes a file, and gives the partition's whole chain. FailedPrecondition when the partition was dropped or restored
  // since, or a later snapshot of it was saved: do not try again.
  absl::StatusOr<StateChain> Save(StateSnapshot& snapshot);

  // After an error of Restore or Save: which files of the partition's chain are at fault, if it is they. A Save that
  // failed for them never succeeds: the partition must be dropped.
  absl::StatusOr<std::vector<DamagedFile>> FindDamaged(const StateChain& chain) const;
  StateChain ChainOf(const StateSnapshot& snapshot) const;

  // Files of old checkpoints. Missing ones are fine; of others all are tried, and the first error is given.
  absl::Status Delete(const std::vector<std::string>& names);

  StateStats stats() const;

 private:
  friend class StateSnapshot;
  struct Partition;
  static absl::Status Complete(StateSnapshot& snapshot);
  std::shared_ptr<Partition> Get(TaskKey task) const;
  absl::StatusOr<std::shared_ptr<Partition>> Make(TaskKey task, const StateChain& chain);

  const engine::Program& program_;
  const std::string scratch_dir_;
  const std::shared_ptr<StatePlaces> places_;
  absl::Status opened_;
  std::unique_ptr<RocksState> rocks_;  // null: in memory
  mutable std::mutex mutex_;           // guards all below
  std::map<TaskKey, std::shared_ptr<Partition>> partitions_;
};

// What a partition's state was after a batch, until it is saved.
class StateSnapshot {
 public:
  StateSnapshot(std::shared_ptr<ChangeLog> log, TaskKey task, std::uint64_t batch)
      : log_(std::move(log)), task_(task), batch_(batch) {}

  const TaskKey& task() const { return task_; }
  std::uint64_t batch() const { return batch_; }

 private:
  friend class StateHost;
  const std::shared_ptr<ChangeLog> log_;
  const TaskKey task_;
  const std::uint64_t batch_;
  std::shared_ptr<StateHost::Partition> taken_from_;  // until it is complete
  std::uint64_t interval_ = 0;                        // from then on
};

}  // namespace millrace
