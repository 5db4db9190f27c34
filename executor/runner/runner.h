// The runner: the shell around RunnerCore. One control thread takes events in and carries actions out; workers run
// tasks, committers wait for sinks. How it reaches the driver and its peers is the transport's business: gRPC in a
// cluster (runner_process.h), calls in `millrace local`.
//
// Thread rule: Handle, Step and Resend on the thread of loop(); TakeBlock from any.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "executor/blocks/block_store.h"
#include "executor/runner/core/runner_core.h"
#include "executor/runner/early_maps.h"
#include "executor/runner/job_library.h"
#include "executor/runner/lookup_host.h"
#include "executor/runner/sink_host.h"
#include "executor/runner/source_host.h"
#include "executor/runner/state_strands.h"
#include "executor/runner/task_run.h"
#include "executor/runner/worker_pool.h"
#include "executor/state/open_checkpoint_store.h"
#include "executor/state/state_host.h"
#include "millrace/v1/cluster.pb.h"

namespace millrace {

// How a runner reaches the others. Called on the runner's loop thread.
class RunnerTransport {
 public:
  virtual ~RunnerTransport() = default;
  virtual void Report(v1::RunnerMessage message) = 0;
  virtual void UpdatePeers(const std::vector<Peer>& peers) = 0;
  virtual void Push(const std::string& runner, std::uint64_t epoch,
                    std::vector<std::shared_ptr<const Block>> blocks) = 0;
  // It is to push these again, as after damage on the way.
  virtual void Ask(const std::string& runner, const std::vector<runner::MadeBlock>& blocks) = 0;
};

struct RunnerSettings {
  std::string job_id;
  std::string runner_id;
  std::string data_dir;            // the runner's alone
  std::uint64_t memory_bytes = 0;  // for blocks
  std::uint32_t slots = 1;         // tasks at once
  CheckpointPlace checkpoints;     // shared by all runners of the job
};

class Runner {
 public:
  // InvalidArgument when a source or sink has a wrong option. `loop` and `transport` outlive the runner.
  static absl::StatusOr<std::unique_ptr<Runner>> Make(RunnerSettings settings, LoadedJob job, EventLoop& loop,
                                                      RunnerTransport& transport);
  ~Runner();

  // InvalidArgument when the command is not one that a driver of this job can have sent: then nothing was done, and
  // more may be missing, so the driver must be made to send everything again.
  absl::Status Handle(const v1::RunnerCommand& command);
  void Step(const runner::Event& event);
  // Pushes blocks again that a peer has found damaged, on the way or where it kept them.
  void Resend(const std::string& peer, std::vector<runner::MadeBlock> blocks);
  // A block from a peer that follows the driver of this epoch has been put into the store.
  void TakeBlock(std::uint64_t epoch, BlockKey key, std::uint64_t input_hash);
  v1::RunnerStatus Status() const;
  // For the hello to a driver: what it has from the one before.
  Holding holding() const { return core_.holding(); }

  BlockStore& blocks() { return blocks_; }
  std::uint64_t epoch() const { return epoch_; }
  const RunnerSettings& settings() const { return settings_; }
  std::uint64_t fingerprint() const { return job_.plan.fingerprint(); }

 private:
  Runner(RunnerSettings settings, LoadedJob job, JobPlan plan, EventLoop& loop, RunnerTransport& transport);
  void PostEvent(runner::Event event);
  void Follow(std::uint64_t epoch);

  void Do(const runner::ArmCut& action);
  void Do(const runner::CloseRange& action);
  void Do(const runner::ReadRange& action);
  void Do(const runner::RunReduce& action);
  void Do(const runner::CommitTask& action);
  void Do(const runner::DropTask& action);
  void Do(const runner::PushBlocks& action);
  void Do(const runner::AskBlocks& action);
  void Do(const runner::UpdatePeers& action);
  void Do(const runner::ReleaseSplit& action);
  void Do(const runner::ForgetRecords& action);
  void Do(const runner::ReleaseSinks& action);
  void Do(const runner::DropBlocks& action);
  // runner_state.cc
  absl::Status OpenState();
  void Do(const runner::KeepBlocksForRecovery& action);
  void Do(const runner::RestoreState& action);
  void Do(const runner::TakeState& action);
  void Do(const runner::DropState& action);
  void Do(const runner::DeleteState& action);
  void Do(const runner::ReportState& action);
  struct Damage {
    std::string error;
    std::vector<std::string> names;
  };
  absl::StatusOr<Damage> FindDamage(const StateChain& chain);
  void RestoreLater(const runner::RestoreState& action, const absl::Status& why);
  void FailState(runner::AttemptId attempt, TaskKey task, const absl::Status& status);
  void TakeMore(const runner::TakeState& action, const std::shared_ptr<StateSnapshot>& snapshot);
  void SaveState(const runner::TakeState& action, const std::shared_ptr<StateSnapshot>& snapshot);
  void SetStateProblem(std::string problem);
  void FillStateStatus(v1::RunnerStatus* status) const;
  std::uint64_t blocks_budget() const;
  void Do(const runner::ReportRanges& action);
  void Do(const runner::ReportDone& action);
  void Do(const runner::ReportFailure& action);

  // On workers and committers.
  std::uint64_t LimitOf(const runner::CloseRange& range) const;
  void CloseAndMap(const runner::CloseRange& action, std::uint64_t epoch);
  void ReadAndMap(const runner::ReadRange& action, std::uint64_t epoch);
  void Reduce(const runner::RunReduce& action, std::uint64_t epoch);
  void Map(std::shared_ptr<TaskRun> run, const runner::TaskRef& ref, const Range& range, RecordBatch* records,
           std::uint64_t lost);
  void Commit(const std::shared_ptr<TaskRun>& run, std::uint64_t epoch);
  absl::Status CommitSink(TaskRun& run, std::uint32_t sink, std::uint64_t epoch);
  void SendConsoleRows(TaskRun& run, std::uint32_t sink);
  template <class Feed>
  void Compute(std::shared_ptr<TaskRun> run, const runner::TaskRef& ref, std::uint64_t input_hash, std::uint64_t lost,
               Feed&& feed);
  std::shared_ptr<TaskRun> NewRun(const runner::TaskRef& ref, std::uint64_t epoch, engine::State* state) const;
  void LoseBlocks(runner::AttemptId attempt, std::vector<runner::MadeBlock> blocks);
  void Fail(const runner::TaskRef& ref, std::uint32_t op, std::string error, bool permanent);

  const RunnerSettings settings_;
  const LoadedJob job_;
  const JobPlan plan_;
  EventLoop& loop_;
  RunnerTransport& transport_;
  runner::RunnerCore core_;
  BlockStore blocks_;
  std::unique_ptr<SourceHost> sources_;
  std::unique_ptr<SinkHost> sinks_;
  std::unique_ptr<LookupHost> lookups_;
  std::uint64_t epoch_ = 0;
  std::map<runner::AttemptId, std::shared_ptr<TaskRun>> computed_;  // to be committed
  std::set<runner::AttemptId> dropped_;                             // while a worker still has them
  std::set<runner::AttemptId> working_;
  std::map<TaskKey, runner::AttemptId> restoring_;  // what was last asked for
  mutable std::mutex state_problem_mutex_;
  std::string state_problem_;
  std::unique_ptr<StateHost> states_;  // of a job that keeps state, as the strands and the saver
  std::unique_ptr<EarlyMaps> early_;
  std::unique_ptr<WorkerPool> workers_;  // from here on: they use everything above
  std::unique_ptr<StateStrands> strands_;
  std::unique_ptr<WorkerPool> committers_;
  std::unique_ptr<WorkerPool> saver_;
};

}  // namespace millrace
