// The job master: one job's deterministic core. Events in, actions out; no thread, clock, socket or file inside. The
// driver daemon and the simulation drive the same code.
//
// A batch's life (docs/architecture.md draws it):
//   cut       the owners of the splits close the batch at what they hold and report ranges
//   planned   the ranges are appended to the journal
//   durable   Go is sent: now, and only now, effects may happen. The next cut travels in the same message, with the
//   time to wait done      every task with a sink has reported that output and mark are visible committed done, and so
//   are all before it
// Every so many batches the state of all partitions is saved as it stands after one of them. Batches since the last
// such checkpoint stay in the ledger and in the runners: whoever gets a stateful partition restores it from the
// checkpoint and computes them again.
//
// A batch without any record, for which no stage must run, has no effects and so needs neither journal nor Go.
//
// Whatever is lost (a runner, a report, a whole message stream) is mended the same way: the route gets a new version,
// and route and every Go not yet committed are sent again. All messages are idempotent, so sending too much is only
// slow, never wrong.
//
// Thread rule: one thread. `now` must not go backwards.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/dataflow/job_plan.h"
#include "driver/job/batch_ledger.h"
#include "driver/job/checkpoint_ledger.h"
#include "driver/job/events.h"
#include "driver/job/route_table.h"
#include "driver/job/runner_set.h"
#include "driver/job/split_ledger.h"

namespace millrace {

struct JobLimits {
  std::size_t pending_batches_max = 4;  // cut and not committed; further cuts wait
  int attempts_max = 4;                 // of one task in one batch, of a runner on one executor
  std::size_t retained_batches_max =
      1'000;                          // committed since the last checkpoint, or three of its intervals; then cuts wait
  std::size_t checkpoints_kept = 10;  // of the newest ones, with all batches since the oldest of them
  std::size_t retained_ranges_max = 50'000;  // of these batches; else fewer checkpoints are kept
  std::int64_t start_wait_us = 3'000'000;    // for the last runner, once one is up
  std::int64_t stop_wait_us = 30'000'000;    // for batches in flight when stopping
};

class JobMaster {
 public:
  // `epoch`: of this driver's term. `restored`: what the journal said, for a job that is taken over.
  JobMaster(std::string job_id, JobPlan plan, std::uint64_t epoch, JobLimits limits = {},
            const JobSnapshot* restored = nullptr);

  // Takes one event and appends what must be done, in order.
  void Step(std::int64_t now, const JobEvent& event, std::vector<JobAction>* actions);
  // When Tick is wanted, if at all.
  std::optional<std::int64_t> next_wakeup() const;

  JobSnapshot Snapshot() const;

  // For the status.
  JobState state() const { return state_; }
  const std::string& error() const { return error_; }
  std::string Notice() const;
  const JobPlan& plan() const { return plan_; }
  const BatchLedger& batches() const { return batches_; }
  const SplitLedger& splits() const { return splits_; }
  const RunnerSet& runners() const { return runners_; }
  std::uint64_t committed() const { return committed_; }
  std::uint64_t committed_records() const { return committed_records_; }
  std::uint64_t committed_records(std::uint32_t source) const;
  std::uint64_t lost_records() const { return lost_records_; }
  const Counts& counts() const { return counts_; }
  std::uint64_t checkpointed() const { return checkpoints_.newest().batch; }
  std::uint64_t last_batch() const { return last_batch_; }
  std::uint32_t checkpoints_passed_over() const { return passed_over_; }
  const CheckpointLedger& checkpoints() const { return checkpoints_; }

 private:
  // A batch whose ranges are being collected.
  struct OpenCut {
    std::uint64_t batch = 0;
    std::int64_t due_us = 0;
    std::int64_t sent_us = 0;
    std::map<SplitKey, std::optional<Range>> ranges;
    std::size_t missing = 0;
  };

  void On(const ExecutorUp& event);
  void On(const RunnerFound& event);
  void On(const ExecutorLost& event);
  void On(const RunnerUp& event);
  void On(const RunnerLost& event);
  void On(const RangesReported& event);
  void On(const DoneReported& event);
  void On(const FailureReported& event);
  void On(const SplitsReported& event);
  void On(const PlanDurable& event);
  void On(const StateReported& event);
  void On(const CheckpointDurable& event);
  // job_ending.cc
  void On(const StopRequested& event);
  void On(const SavepointRequested& event);
  void On(const ExecutorLeaving& event);
  void On(const Tick& event);

  void StartDueRunners();
  bool Adopt(const RunnerUp& event);
  bool AllBack() const;
  void AfterRunnerLost(const std::string& executor, const RunnerLost& event);
  void Reroute();           // membership or splits changed
  void SendRouteAndWork();  // everything a runner may lack, to every runner
  void AssignEnumerators();
  void SendEnumerateTo(const std::string& runner);
  void TryRun();  // Starting → Running
  bool MayCut() const;
  bool CheckpointsLag() const;
  void MaybeCheckpoint();
  void PassOver(const TaskFailure& failure, const std::string& where);
  void MaybeCut();
  void SendCut();
  void MaybePlan();
  void SendGo(const Go& go);
  void CommitDone();
  // job_ending.cc
  void Drain(const std::string& runner);
  bool NoteDrained(const PlannedBatch& planned);
  bool OnlyDrains() const;
  bool MayGo(const std::string& runner, std::uint64_t through) const;
  void ReleaseLeaving();
  std::string StopNotice() const;
  void MaybeFinish();
  void End(JobState state, std::string error);
  BatchWork& WorkFor(const std::string& runner);
  void FlushWork();
  std::int64_t NextBatchTime() const;

  const std::string job_id_;
  const JobPlan plan_;
  const JobLimits limits_;
  RunnerSet runners_;
  SplitLedger splits_;
  RouteTable route_;
  BatchLedger batches_;
  CheckpointLedger checkpoints_;

  JobState state_ = JobState::kStarting;
  std::string error_;
  std::optional<std::int64_t> start_deadline_;
  std::optional<std::int64_t> stop_deadline_;
  std::string enumerator_;        // runner that lists the splits
  std::set<std::string> before_;  // executors that the runners from before have had as peers
  std::optional<OpenCut> cut_;
  std::uint64_t last_batch_ = 0;  // newest planned
  std::int64_t last_batch_time_us_ = 0;
  // Splits whose receivers have been told to stop, and the batch from which on nothing means that they are empty.
  std::map<SplitKey, std::uint64_t> draining_;
  std::map<std::string, std::uint64_t> leaving_;  // executors, and the newest batch that they may have a part in
  std::uint64_t savepoint_from_ = 0;              // a checkpoint of this batch or a later one is wanted; 0: none
  std::uint64_t mending_through_ = 0;             // newest batch that a change of owners may have disturbed
  std::uint64_t committed_ = 0;
  std::uint64_t committed_records_ = 0;
  std::map<std::uint32_t, std::uint64_t> source_records_;
  std::uint64_t lost_records_ = 0;
  std::uint32_t passed_over_ = 0;
  Counts counts_;
  std::map<std::uint64_t, int> crashes_;  // by batch

  // Valid during Step.
  std::int64_t now_ = 0;
  std::vector<JobAction>* actions_ = nullptr;
  std::map<std::string, BatchWork> work_;  // gathered, so that Go and the next cut are one message
};

}  // namespace millrace
