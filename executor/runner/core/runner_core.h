// The runner's bookkeeping: which partitions it owns, where each of their tasks stands, which blocks a task still waits
// for, and what the driver must be told. Deterministic: events in, actions out; no thread, clock, socket, file or
// record inside.
//
// A task of a source stage:   cut → closing → computing → computed → (Go names this very range) → committing → done
// A task of a shuffle stage:  Go → waiting for blocks → computing → computed → committing → done
// One partition computes one task at a time, in batch order, and commits in batch order. A Go that names another range
// than the one that was closed makes the task read the named range again. A Go that comes again makes it report again.
// Both are what recovery needs.
//
// A partition that keeps state first restores it, from the checkpoint that the route names, and then computes every
// batch after that checkpoint, without a gap. Those that were committed long ago it computes for the state alone. So
// tasks and blocks of the batches since the last checkpoint are kept in all stages that feed state. A task that fails
// while computing leaves its state half changed: the state is dropped, and restored under the next route.
//
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/dataflow/job_plan.h"
#include "executor/runner/core/block_index.h"
#include "executor/runner/core/events.h"

namespace millrace::runner {

class RunnerCore {
 public:
  RunnerCore(JobPlan plan, std::string runner_id);

  void Step(const Event& event, std::vector<Action>* actions);

  std::uint64_t committed() const { return committed_; }
  // Nothing of this batch and those before it is needed any more.
  std::uint64_t floor() const { return floor_; }
  std::size_t tasks() const;
  // For the next driver.
  Holding holding() const;

 private:
  enum class Phase { kQueued, kClosing, kComputing, kComputed, kCommitting, kDone, kFailed };

  struct Task {
    AttemptId attempt = 0;
    Phase phase = Phase::kQueued;
    std::int64_t batch_time_us = 0;
    bool go = false;  // the batch is durable with this very input
    std::uint64_t failed_version = 0;
    std::string start;  // source stages: where Close begins
    std::uint64_t max_records = 0;
    std::optional<Range> range;       // source stages: closed, or named by Go
    bool recommit = false;            // failed after it was computed: its output is still there
    bool read_again = false;          // source stages: range is Go's, not ours
    std::vector<NeededBlock> needed;  // shuffle stages, in merge order
    std::set<std::pair<std::uint32_t, std::uint32_t>> missing;  // (stage, map partition) of needed
    std::uint64_t input_hash = 0;                               // shuffle stages: of all ranges
    int setbacks = 0;                                           // how often blocks that it needs were damaged
    bool IsComputed() const {
      return phase == Phase::kComputed || phase == Phase::kCommitting || phase == Phase::kDone || recommit;
    }
  };
  enum class Held { kNothing, kRestoring, kReady, kLost };
  // What a partition of a stateful stage remembers.
  struct PartitionState {
    Held held = Held::kNothing;
    std::uint64_t batch = 0;  // after which it stands, or will when it is restored
    StateChain chain;         // to restore from
    std::optional<AttemptId> restoring;
    std::optional<AttemptId> saving;
    std::uint64_t taken = 0;          // batch of the newest snapshot
    std::optional<StateChain> saved;  // of that snapshot, once it is in the store
  };
  // A partition of a stage that this runner owns.
  struct Partition {
    std::uint64_t version = 0;            // of the route that gave it to us
    SplitKey split;                       // source stages
    std::optional<AttemptId> running;     // a worker has this attempt, even if its task is gone
    std::optional<AttemptId> committing;  // a committer has this attempt, even if its task is gone
    std::map<std::uint64_t, Task> tasks;  // by batch
    std::uint64_t open_from = 0;          // no task before it waits to be computed
    PartitionState state;
  };
  struct Attempt {
    TaskKey key;
    std::uint64_t batch = 0;  // 0: at the partition's state
  };
  struct Found {
    TaskKey key;
    Partition* partition = nullptr;
    std::uint64_t batch = 0;
    Task* task = nullptr;  // null: the attempt was dropped
  };
  struct CutState {
    std::uint64_t batch = 0;
    bool due = false;
    std::map<SplitKey, CutSplit> splits;
    std::set<SplitKey> awaited;
    std::vector<Range> ranges;
    std::int64_t batch_time_us = 0;
  };

  void On(const NewTerm& event);
  void On(const RouteReceived& event);
  void On(const WorkReceived& event);
  void On(const CutDue& event);
  void On(const RangeClosed& event);
  void On(const TaskComputed& event);
  void On(const TaskCommitted& event);
  void On(const TaskFailed& event);
  void On(const BlockReceived& event);
  void On(const PeerReconnected& event);
  void On(const BlocksLost& event);
  void On(const StateRestored& event);
  void On(const StateTaken& event);
  void On(const StateSaved& event);
  void On(const StateNotSaved& event);

  void TakeCut(const Cut& cut);
  std::vector<CloseRange> Announced(const Cut& cut) const;
  void BeginCut();
  void ReportClosed(const Range& range);
  void StopAwaiting(const SplitKey& key);
  void TakeGo(const Go& go);
  void TakeGoForSplit(const Go& go, const StagePlan& stage, const Range& range);
  void TakeGoForPartition(const Go& go, const StagePlan& stage, std::uint32_t partition,
                          const std::vector<NeededBlock>& needed);
  void DropUnplanned(std::uint64_t through);
  void Restart(Task& task);
  bool MayRetry(const Task& task) const;
  void TakeCommitted(std::uint64_t batch);
  void CommitKept(TaskKey key, Partition& partition, std::uint64_t before);
  void TakeFloor(std::uint64_t batch);
  bool EndTasks(TaskKey key, Partition& partition, std::uint64_t through);
  Task& Open(Partition& partition, std::uint64_t batch);
  // runner_state.cc
  void GainState(TaskKey key, Partition& partition);
  bool MustRestore(TaskKey key, const Partition& partition) const;
  void LoseState(TaskKey key, Partition& partition);
  void PumpState(TaskKey key, Partition& partition);
  void TakeCheckpoint(std::uint64_t batch);
  void ReportSaved(TaskKey key, const PartitionState& state);
  void StateFailed(const Found& found, const TaskFailed& event);
  void GiveUpState(TaskKey key, Partition& partition, const TaskFailed& event);
  void ForgetPartition(TaskKey key, Partition& partition);
  void TakeMade(const std::vector<MadeBlock>& blocks);
  void TakeBlock(const MadeBlock& block, bool produced);
  void Pump(TaskKey key);  // starts whatever this partition can do next
  void PumpCompute(TaskKey key, Partition& partition);
  void StartCompute(TaskKey key, Partition& partition, std::uint64_t batch, Task& task);
  void ReportCounts(const Found& found, const TaskComputed& event);
  void FailTask(const Found& found, const TaskFailed& event);
  void MaybeReportDone(std::uint64_t batch);
  const StagePlan* StageOfShuffle(std::uint32_t shuffle) const;
  std::string OwnerOfBlock(const BlockKey& key) const;
  std::string MakerOfBlock(const BlockKey& key) const;
  void AwaitAgain(const MadeBlock& block);
  void AskNewMakers();
  bool MakeAgain(const MadeBlock& block);
  void FindMissing(const StagePlan& stage, std::uint32_t partition, std::uint64_t batch, Task& task);
  std::set<std::string> HoldersOfBlock(const BlockKey& key) const;
  bool TakeCopies(TaskKey key, Task& task, std::uint64_t batch, std::uint64_t input_hash);
  Found Find(AttemptId attempt, bool frees_worker);
  TaskRef Ref(TaskKey key, const Partition& partition, std::uint64_t batch, const Task& task) const;

  const JobPlan plan_;
  const std::string self_;
  Route route_;
  std::map<TaskKey, std::string> partition_owner_;  // shuffle stages: runner id
  std::string backup_;                              // keeps copies of what replicated stages make here; empty: nobody
  std::map<TaskKey, Partition> partitions_;
  std::map<AttemptId, Attempt> attempts_;  // given to a worker or a committer and not yet answered
  std::optional<CutState> cut_;
  BlockIndex blocks_;
  std::uint64_t committed_ = 0;
  std::uint64_t floor_ = 0;
  std::uint64_t let_go_ = 0;      // the highest that the floor ever was, under any driver
  std::uint64_t checkpoint_ = 0;  // the batch after which state is to be saved
  std::uint64_t newest_go_ = 0;
  std::uint64_t newest_go_hash_ = 0;
  AttemptId next_attempt_ = 0;
  std::vector<Action>* actions_ = nullptr;  // valid during Step
};

}  // namespace millrace::runner
