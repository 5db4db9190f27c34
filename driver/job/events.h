// Everything that can happen to a job master, and everything it can cause. Plain data: no thread, clock, socket or
// file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/dataflow/messages.h"

namespace millrace {

// ---- events ----
struct ExecutorUp {
  std::string executor;
};
// An executor has come with a runner that has lived under another driver. Comes before the runner's own RunnerUp.
struct RunnerFound {
  std::string executor;
  std::string runner;
};
struct ExecutorLost {
  std::string executor;
  std::string reason;
};
// Its stream is open; comes again when the runner opens a new one. What the master sends in answer must be the first on
// that stream: a runner that missed a Go and took the next would leave a batch out.
struct RunnerUp {
  std::string runner;
  std::string block_address;
  Holding holding = {};
};
struct Crash {
  int signal = 0;
  std::uint32_t op = 0;
  std::uint64_t batch = 0;
};
struct RunnerLost {
  std::string runner;
  std::string reason;
  std::optional<Crash> crash;  // set when user code was running
};
struct RangesReported {
  std::string runner;
  RangeReport report;
};
struct DoneReported {
  std::string runner;
  BatchDone done;
};
struct FailureReported {
  std::string runner;
  TaskFailure failure;
};
struct SplitsReported {
  std::string runner;
  SplitReport report;
};
struct StateReported {
  std::string runner;
  StateReport report;
};
struct CheckpointDurable {
  std::uint64_t batch = 0;
};  // answer to AppendCheckpoint
struct PlanDurable {
  std::uint64_t batch = 0;
};  // answer to AppendPlanned
struct StopRequested {
  bool now = false;
  bool drain = false;        // receivers stop first, and what they have received is processed
  std::int64_t wait_us = 0;  // then it ends, whatever is unfinished; 0: as the limits say
};
struct SavepointRequested {};  // a checkpoint of the next batch
struct ExecutorLeaving {
  std::string executor;
};               // it ends soon; answered by StopRunner when its runner is not needed any more
struct Tick {};  // JobMaster::next_wakeup has come

using JobEvent = std::variant<ExecutorUp, RunnerFound, ExecutorLost, RunnerUp, RunnerLost, RangesReported, DoneReported,
                              FailureReported, SplitsReported, StateReported, CheckpointDurable, PlanDurable,
                              StopRequested, SavepointRequested, ExecutorLeaving, Tick>;

// ---- what is durable ----
struct SplitState {
  SplitKey key;
  std::uint32_t ordinal = 0;
  std::string position;  // end of the last planned range
  bool finished = false;
};

struct PlannedBatch {
  std::uint64_t batch = 0;
  std::int64_t batch_time_us = 0;
  std::vector<Range> ranges;
};

// The state of every stateful partition after a batch; batch 0: there is none.
struct Checkpoint {
  std::uint64_t batch = 0;
  StateChains chains;
};

struct JobSnapshot {
  std::vector<SplitState> splits;
  std::uint64_t last_batch = 0;
  std::int64_t last_batch_time_us = 0;
  std::uint64_t committed = 0;
  std::uint64_t committed_records = 0;
  std::map<std::uint32_t, std::uint64_t> source_records;  // of the committed ones, by source
  // Planned and not committed, ascending; of a job with state also what was committed since the oldest checkpoint.
  std::vector<PlannedBatch> pending;
  Checkpoint checkpoint;                       // of a job with state
  std::vector<Checkpoint> checkpoints_before;  // the newest first
  Counts counts;                               // of the operators
};

enum class JobState { kStarting = 1, kRunning = 2, kStopping = 3, kStopped = 4, kFinished = 5, kFailed = 6 };
inline bool HasEnded(JobState state) { return state >= JobState::kStopped; }

// ---- actions ----
struct StartRunner {
  std::string executor;
  std::string runner;
};
struct StopRunner {
  std::string executor;
  std::string runner;
};
struct SendRoute {
  std::string runner;
  std::shared_ptr<const Route> route;
};
struct SendWork {
  std::string runner;
  BatchWork work;
};
struct SendEnumerate {
  std::string runner;
  std::vector<std::uint32_t> sources;
  std::vector<std::uint32_t> resumed;  // those of them whose splits the job has been told before
};
struct AppendSplits {
  std::vector<SplitState> added;
};
struct AppendPlanned {
  PlannedBatch planned;
};  // answered by PlanDurable
struct AppendCheckpoint {
  Checkpoint checkpoint;
};  // answered by CheckpointDurable
struct PassedOver {
  std::uint64_t checkpoint = 0;  // of this batch, a file of which is damaged
  std::uint64_t instead = 0;     // the older one that the job goes on from
  std::string why;
};  // the journal must begin anew with a snapshot, before anything else is appended
struct AppendCommitted {
  std::uint64_t batch = 0;
};
struct EndJob {
  JobState state = JobState::kFailed;
  std::string error;
};

using JobAction = std::variant<StartRunner, StopRunner, SendRoute, SendWork, SendEnumerate, AppendSplits, AppendPlanned,
                               AppendCheckpoint, PassedOver, AppendCommitted, EndJob>;

}  // namespace millrace
