// A simulated runner process: the real RunnerCore, and around it what the daemon would be: workers that take their time
// and fail now and then, a block store, sink writers, the listing of splits. Everything it does to others goes through
// RunnerWorld. One thread.
//
// It is held by shared_ptr; what it has asked the clock for is forgotten when it is gone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/job/events.h"
#include "executor/runner/core/runner_core.h"
#include "tests/simulation/mutation.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sinks.h"
#include "tests/simulation/workload.h"

namespace millrace::simulation {

struct SimBlock {
  BlockKey key;
  std::uint64_t input_hash = 0;
  Records records;
  std::uint64_t epoch = 0;  // of the driver that its sender follows
};

// A file of the checkpoint store.
struct StateContent {
  TaskKey task;
  Record state = 0;
};

// What a runner sees of the world.
class RunnerWorld {
 public:
  virtual ~RunnerWorld() = default;
  virtual Scheduler& clock() = 0;
  virtual Random& random() = 0;
  virtual Sinks& sinks() = 0;
  virtual const JobPlan& plan() const = 0;
  virtual Mutation mutation() const = 0;
  virtual double task_failure_chance() const = 0;
  virtual std::size_t pending_batches_max() const = 0;
  virtual std::size_t retained_batches_max() const = 0;
  virtual std::map<std::string, StateContent>& checkpoint_store() = 0;
  // Whether the driver takes this runner for one of its own.
  virtual bool IsUp(const std::string& runner) const = 0;
  // Whether this file of the newest checkpoint is damaged: now and then one is, from now on.
  virtual bool IsDamaged(const std::string& file) = 0;
  // Up to where the split has grown, and whether it will never grow again.
  virtual std::pair<std::uint64_t, bool> Grown(const SplitKey& split) = 0;
  virtual SplitReport List(std::uint32_t source) = 0;
  virtual void ToDriver(const std::string& runner, JobEvent event) = 0;
  virtual void Push(const std::string& from, const std::string& to, SimBlock block) = 0;
  virtual void Ask(const std::string& from, const std::string& to, std::vector<runner::MadeBlock> blocks) = 0;
  virtual void Say(const std::string& who, const std::string& what) = 0;
  virtual bool tracing() const = 0;
  virtual void Saw(const char* what) = 0;
};

class SimRunner : public std::enable_shared_from_this<SimRunner> {
 public:
  SimRunner(RunnerWorld& world, std::string id, std::string executor, std::uint64_t epoch);

  const std::string& id() const { return id_; }
  const std::string& executor() const { return executor_; }

  // Everything from outside comes in through here: at once, or, while the process is frozen, later and in order.
  void Deliver(std::function<void(SimRunner&)> what);
  void Freeze(std::int64_t duration);
  void Take(const runner::Event& event);
  // Something comes from a driver of this epoch. False when it is of an older one than before.
  bool Follow(std::uint64_t epoch);
  Holding holding() const { return core_.holding(); }
  void TakeBlock(SimBlock block);
  void Resend(const std::string& peer, const std::vector<runner::MadeBlock>& blocks);
  void Enumerate(const std::vector<std::uint32_t>& sources);
  // Throws when the core or the store has outgrown what the batches in flight can explain.
  void CheckBounds() const;

 private:
  struct Stored {
    Records records;
    std::uint64_t order = 0;  // of arrival
  };
  // Of a stateful partition. A task of an earlier life of it must not touch it.
  struct State {
    Record value = 0;
    std::uint64_t life = 0;
    StateChain chain;
  };
  void Restore(const runner::RestoreState& action, std::uint64_t life);
  void Damaged(const runner::RestoreState& action, const std::string& file);
  void Save(runner::AttemptId attempt, TaskKey task, Record value, std::uint64_t life);
  Records Compute(const runner::TaskRef& ref, const Records& input);
  struct Writer {
    Fence fence;
    std::uint64_t mark = 0;
  };

  void Do(const runner::ArmCut& action);
  void Do(const runner::CloseRange& action);
  void Do(const runner::ReadRange& action);
  void Do(const runner::RunReduce& action);
  void Do(const runner::CommitTask& action);
  void Do(const runner::DropTask& action);
  void Do(const runner::PushBlocks& action);
  void Do(const runner::AskBlocks& action) { world_.Ask(id_, action.runner, action.blocks); }
  void Do(const runner::UpdatePeers&) {}
  void Do(const runner::ReleaseSplit& action) { forgotten_.erase(action.split); }
  void Do(const runner::ForgetRecords& action);
  void CheckHeld(const SplitKey& split, const std::string& start) const;
  void Do(const runner::ReleaseSinks& action);
  void Do(const runner::DropBlocks& action);
  void Do(const runner::KeepBlocksForRecovery&) {}
  void Do(const runner::RestoreState& action);
  void Do(const runner::TakeState& action);
  void Do(const runner::DropState& action);
  void Do(const runner::DeleteState& action);
  void Do(const runner::ReportState& action);
  void Do(const runner::ReportRanges& action);
  void Do(const runner::ReportDone& action);
  void Do(const runner::ReportFailure& action);

  void After(std::int64_t delay, std::function<void(SimRunner&)> what);
  std::int64_t WorkTime();
  bool Fails() { return world_.random().Chance(world_.task_failure_chance()); }
  void Fail(runner::AttemptId attempt, std::string error);
  // Stores what the attempt made and answers TaskComputed.
  void Finish(const runner::TaskRef& ref, const Records& input, std::uint64_t input_hash);
  void Reduce(const runner::RunReduce& action);
  bool OpenWriters(const runner::TaskRef& ref);
  void Commit(const runner::TaskRef& ref, const Output& output);
  void ListNext(std::uint64_t term);
  void Put(SimBlock block);
  const Stored* Find(const BlockKey& key, std::uint64_t input_hash) const;
  bool Damaged(const runner::MadeBlock& block);

  RunnerWorld& world_;
  const std::string id_;
  const std::string executor_;
  std::uint64_t epoch_;
  runner::RunnerCore core_;
  runner::AttemptId newest_attempt_ = 0;
  struct {
    runner::AttemptId newest_attempt = 0;
    std::uint64_t floor = 0;
  } before_;  // when the driver before this one was last heard
  std::int64_t frozen_until_ = 0;
  std::deque<std::function<void(SimRunner&)>> frozen_;
  std::map<BlockKey, std::map<std::uint64_t, Stored>> store_;  // by key, then by the input it was made from
  std::uint64_t stored_ = 0;
  std::set<std::pair<BlockKey, std::uint64_t>> damaged_;  // and gone
  std::map<runner::AttemptId, Records> results_;
  std::map<TaskKey, State> states_;
  std::uint64_t lives_ = 0;
  std::uint64_t saved_ = 0;
  std::map<SinkKey, Writer> writers_;
  std::map<SplitKey, std::uint64_t> forgotten_;  // the source need not hold what is before
  std::vector<std::uint32_t> listed_sources_;
  std::uint64_t listing_term_ = 0;
};

}  // namespace millrace::simulation
