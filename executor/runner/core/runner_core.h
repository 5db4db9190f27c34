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
  std::size_t tasks() const;

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
    std::optional<Range> range;                                 // source stages: closed, or named by Go
    bool read_again = false;                                    // source stages: range is Go's, not ours
    std::vector<NeededBlock> needed;                            // shuffle stages, in merge order
    std::set<std::pair<std::uint32_t, std::uint32_t>> missing;  // (stage, map partition) of needed
    std::uint64_t input_hash = 0;                               // shuffle stages: of all ranges
  };
  // A partition of a stage that this runner owns.
  struct Partition {
    std::uint64_t version = 0;            // of the route that gave it to us
    SplitKey split;                       // source stages
    std::optional<AttemptId> running;     // a worker has this attempt, even if its task is gone
    std::optional<AttemptId> committing;  // a committer has this attempt, even if its task is gone
    std::map<std::uint64_t, Task> tasks;  // by batch
  };
  struct CutState {
    std::uint64_t batch = 0;
    bool due = false;
    std::map<SplitKey, CutSplit> splits;
    std::set<SplitKey> awaited;
    std::vector<Range> ranges;
    std::int64_t batch_time_us = 0;
  };

  void On(const RouteReceived& event);
  void On(const WorkReceived& event);
  void On(const CutDue& event);
  void On(const RangeClosed& event);
  void On(const TaskComputed& event);
  void On(const TaskCommitted& event);
  void On(const TaskFailed& event);
  void On(const BlockReceived& event);
  void On(const PeerReconnected& event);

  void TakeCut(const Cut& cut);
  void BeginCut();
  void ReportClosed(const Range& range);
  void StopAwaiting(const SplitKey& key);
  void TakeGo(const Go& go);
  void TakeGoForSplit(const Go& go, const StagePlan& stage, const Range& range);
  void TakeGoForPartition(const Go& go, const StagePlan& stage, std::uint32_t partition,
                          const std::vector<NeededBlock>& needed);
  void DropUnplanned(std::uint64_t through);
  void Restart(Task& task);
  void TakeCommitted(std::uint64_t batch);
  void ForgetPartition(TaskKey key, Partition& partition);
  void TakeMade(const std::vector<MadeBlock>& blocks);
  void TakeBlock(const MadeBlock& block, bool produced);
  void Pump(TaskKey key);  // starts whatever this partition can do next
  void StartCompute(TaskKey key, Partition& partition, std::uint64_t batch, Task& task);
  void MaybeReportDone(std::uint64_t batch);
  const StagePlan* StageOfShuffle(std::uint32_t shuffle) const;
  std::string OwnerOfBlock(const BlockKey& key) const;
  struct Found {
    TaskKey key;
    Partition* partition = nullptr;
    std::uint64_t batch = 0;
    Task* task = nullptr;  // null: the attempt was dropped
  };
  Found Find(AttemptId attempt, bool frees_worker);
  TaskRef Ref(TaskKey key, const Partition& partition, std::uint64_t batch, const Task& task) const;

  const JobPlan plan_;
  const std::string self_;
  Route route_;
  std::map<TaskKey, std::string> partition_owner_;  // shuffle stages: runner id
  std::map<TaskKey, Partition> partitions_;
  std::map<AttemptId, TaskKey> attempts_;  // given to a worker or a committer and not yet answered
  std::optional<CutState> cut_;
  BlockIndex blocks_;
  std::uint64_t committed_ = 0;
  AttemptId next_attempt_ = 0;
  std::vector<Action>* actions_ = nullptr;  // valid during Step
};

}  // namespace millrace::runner
