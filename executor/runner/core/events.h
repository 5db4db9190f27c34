// Everything that can happen to a runner's core, and everything it can cause. Plain data: records and blocks themselves
// stay outside; the core knows blocks by key and by the input they were made from.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/block/block.h"
#include "common/dataflow/messages.h"

namespace millrace::runner {

// One attempt at computing a task. Numbers are never used twice in a runner's life, so a late result of a dropped
// attempt matches nothing.
using AttemptId = std::uint64_t;

// ---- events ----
struct NewTerm {};  // what follows comes from another driver than what came before
struct RouteReceived {
  Route route;
};
struct WorkReceived {
  BatchWork work;
};
struct CutDue {
  std::uint64_t batch = 0;
};
struct RangeClosed {  // first answer to CloseRange
  AttemptId attempt = 0;
  std::string end;
  std::uint64_t records = 0;
  bool finished = false;
};
struct MadeBlock {  // key and input are a block's identity: blocks of one key and different inputs live side by side
  BlockKey key;
  std::uint64_t input_hash = 0;
};
struct TaskComputed {  // answer to CloseRange (second), ReadRange and RunReduce
  AttemptId attempt = 0;
  std::vector<MadeBlock> blocks;  // already in the block store
  std::uint64_t lost_records = 0;
  Counts counts = {};
};
struct TaskCommitted {
  AttemptId attempt = 0;
};                   // answer to CommitTask
struct TaskFailed {  // instead of any of the above
  AttemptId attempt = 0;
  std::uint32_t op = 0;
  std::string error;
  bool permanent = false;
  std::vector<std::string> damaged = {};  // of RestoreState: files that are damaged or missing
};
struct BlockReceived {
  BlockKey key;
  std::uint64_t input_hash = 0;
};  // already in the block store
struct PeerReconnected {
  std::string runner;
};  // what was under way to it may be lost
struct BlocksLost {
  AttemptId attempt = 0;  // instead of TaskComputed: of the reduce that lacks them; 0: they were to be pushed
  std::vector<MadeBlock> blocks;
};  // the block store found them damaged and has dropped them

struct StateRestored {
  AttemptId attempt = 0;
};  // answer to RestoreState; TaskFailed instead when it cannot be
struct StateTaken {
  AttemptId attempt = 0;
};  // first answer to TakeState: the partition may go on; TaskFailed instead when its state is lost
struct StateSaved {
  AttemptId attempt = 0;
  StateChain files;
};  // second answer to TakeState, as often tried as needed: the whole chain that stands for the state
struct StateNotSaved {
  AttemptId attempt = 0;
  std::string error;
  std::vector<std::string> damaged;
};  // instead of it, when the chain that is to be continued is damaged

using Event =
    std::variant<NewTerm, RouteReceived, WorkReceived, CutDue, RangeClosed, TaskComputed, TaskCommitted, TaskFailed,
                 BlockReceived, PeerReconnected, BlocksLost, StateRestored, StateTaken, StateSaved, StateNotSaved>;

// ---- actions ----
struct TaskRef {
  AttemptId attempt = 0;
  TaskKey task;
  std::uint64_t batch = 0;
  std::int64_t batch_time_us = 0;
  std::uint64_t version = 0;  // under which this runner got the partition: second half of the sink's fence
};
struct CloseRange {
  TaskRef ref;
  SplitKey split;
  std::string start;
  std::uint64_t max_records = 0;
};
struct ArmCut {
  std::uint64_t batch = 0;
  std::int64_t after_us = 0;
  std::vector<CloseRange> announced = {};  // what will then be closed unless routes change; without attempts
};                                         // answer with CutDue
struct ReadRange {
  TaskRef ref;
  Range range;
};
struct RunReduce {
  TaskRef ref;
  std::vector<MadeBlock> inputs;
  std::uint64_t input_hash = 0;
};  // inputs in merge order
struct CommitTask {
  TaskRef ref;
};  // run the sinks on what the attempt computed
struct DropTask {
  AttemptId attempt = 0;
};  // whatever it computed is not needed (any more)
struct PushBlocks {
  std::string runner;
  std::vector<MadeBlock> blocks;
};
struct AskBlocks {
  std::string runner;
  std::vector<MadeBlock> blocks;
};  // it is to push them again
struct UpdatePeers {
  std::vector<Peer> peers;
};
struct ReleaseSplit {
  SplitKey split;
};  // no longer ours: close the reader
struct ForgetRecords {
  SplitKey split;
  std::string end;
};  // nothing before this position will be asked for again
struct ReleaseSinks {
  TaskKey task;
};  // no longer ours: close the writers
struct DropBlocks {
  std::uint64_t through = 0;
};
struct KeepBlocksForRecovery {
  std::uint64_t through = 0;
};  // committed, and since the last checkpoint: nobody will ask for them unless something is lost
struct RestoreState {
  AttemptId attempt = 0;
  TaskKey task;
  StateChain files;
};
struct TakeState {
  AttemptId attempt = 0;
  TaskKey task;
  std::uint64_t batch = 0;
};  // saves the state as it stands after this batch
struct DropState {
  TaskKey task;
};  // no longer ours, or a task has failed in the middle of changing it
struct DeleteState {
  std::vector<std::string> names;
};
struct ReportState {
  StateReport report;
};
struct ReportRanges {
  RangeReport report;
};
struct ReportDone {
  BatchDone done;
};
struct ReportFailure {
  TaskFailure failure;
};

using Action =
    std::variant<ArmCut, CloseRange, ReadRange, RunReduce, CommitTask, DropTask, PushBlocks, AskBlocks, UpdatePeers,
                 ReleaseSplit, ForgetRecords, ReleaseSinks, DropBlocks, KeepBlocksForRecovery, RestoreState, TakeState,
                 DropState, DeleteState, ReportState, ReportRanges, ReportDone, ReportFailure>;

}  // namespace millrace::runner
