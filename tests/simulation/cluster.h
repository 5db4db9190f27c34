// One life of a simulated cluster: the real JobMaster, a real RunnerCore per executor, and between them a world that
// breaks. Everything happens in one thread and follows from the seed, so that a life that goes wrong can be lived
// again.
//
// A life is some seconds of faults, then a time without any in which the job must move on, then the job's end. What
// must hold all the time:
//   - a Go, a commit and a visible output belong to a durable plan, and the output is what the plan's ranges give
//   (Sinks, Journal)
//   - what the driver takes for committed is visible in every sink
//   - both cores' memory is bounded, and the job never fails
// Throws Violation.
//
//   Cluster cluster(seed, Mutation::kNone, /*trace=*/false);
//   batches += cluster.Live();
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/job/job_master.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/mutation.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_runner.h"
#include "tests/simulation/sinks.h"
#include "tests/simulation/sources.h"

namespace millrace::simulation {

class Cluster final : public RunnerWorld {
 public:
  Cluster(std::uint64_t seed, Mutation mutation, bool trace);
  ~Cluster() override;

  // Returns how many batches with effects were committed. Once.
  std::uint64_t Live();

  Scheduler& clock() override { return clock_; }
  Random& random() override { return random_; }
  Sinks& sinks() override { return sinks_; }
  const JobPlan& plan() const override { return settings_.plan; }
  Mutation mutation() const override { return mutation_; }
  double task_failure_chance() const override { return faults_ ? settings_.task_failures : 0; }
  std::size_t pending_batches_max() const override { return pending_max_; }
  std::size_t retained_batches_max() const override {
    const std::size_t an_interval = std::max<std::size_t>(settings_.limits.retained_batches_max, 12);
    return settings_.plan.stateful() ? an_interval * (seen_.contains("passed over") ? kCheckpointsKeptMax + 1 : 1) : 0;
  }
  std::map<std::string, StateContent>& checkpoint_store() override { return checkpoint_store_; }
  bool IsUp(const std::string& runner) const override { return master_ != nullptr && master_->runners().IsUp(runner); }
  bool IsDamaged(const std::string& file) override;
  std::pair<std::uint64_t, bool> Grown(const SplitKey& split) override { return sources_.Grown(split); }
  SplitReport List(std::uint32_t source) override;
  void ToDriver(const std::string& runner, JobEvent event) override;
  void Push(const std::string& from, const std::string& to, SimBlock block) override;
  void Ask(const std::string& from, const std::string& to, std::vector<runner::MadeBlock> blocks) override;
  void Say(const std::string& who, const std::string& what) override;
  bool tracing() const override { return trace_; }
  void Saw(const char* what) override { ++seen_[what]; }
  // How often the things happened that a life should have seen; see the coverage test.
  const std::map<std::string, std::uint64_t>& seen() const { return seen_; }

 private:
  struct Settings {
    explicit Settings(Random& random);
    bool bounded = false;
    JobPlan plan;
    JobLimits limits;
    int executors = 0;
    double harshness = 0;      // scales how often the world breaks
    double task_failures = 0;  // chance for each step of a task
    bool restarts = false;     // of the driver
    std::int64_t faults_us = 0;
    std::int64_t source_away_us = 0;  // so long the sources cannot be listed
  };
  struct Executor {
    bool up = false;
    std::uint64_t life = 0;
  };
  // A runner process and its stream to the driver.
  struct Process {
    std::shared_ptr<SimRunner> runner;
    bool connected = false;
    std::uint64_t stream = 0;  // what was sent on an older one is lost
    bool greeted = false;      // the driver knows of this stream, and sends on it
    bool waits = false;        // for the next driver
    bool orphan = false;       // nobody waits for it, and it dies soon
    std::int64_t last_down = 0;
    std::int64_t last_up = 0;
  };
  struct Link {
    std::uint64_t generation = 0;
    std::int64_t down_until = 0;
  };

  // cluster_driver.cc: the daemon around the job master.
  void StartDriver();
  void RestartDriver();
  void Step(const JobEvent& event);
  void StepIn(std::int64_t delay, JobEvent event);                 // lost when the driver restarts before
  void Register(const std::string& executor, std::int64_t delay);  // unless it is lost before
  void ScheduleTick();
  void CheckAfterStep();
  void Do(const StartRunner& action);
  void Do(const StopRunner& action);
  void Do(const SendRoute& action);
  void Do(const SendWork& action);
  void Do(const SendEnumerate& action);
  void Do(const AppendSplits& action);
  void Do(const AppendPlanned& action);
  void Do(const AppendCheckpoint& action);
  void Do(const PassedOver& action);
  void Do(const AppendCommitted& action);
  void Do(const EndJob& action);
  void Append(JournalRecord record);
  void ToRunner(const std::string& runner, std::function<void(SimRunner&)> what);

  // cluster.cc: the life, and what breaks.
  void EveryFewMilliseconds();
  void BreakSomething();
  std::string AnyProcess();
  void Connect(const std::string& runner);
  void Kill(const std::string& runner);
  void Adopt(const std::string& executor, const std::string& runner);
  void Orphan(const std::string& runner);  // lives on for a while without its stream
  void LoseRunner();
  void FreezeRunner();
  void BreakStream();
  void LoseExecutor();
  void LeaveExecutor();
  void BringBack(const std::string& executor);
  void BreakLink(const std::string& from, const std::string& to);
  void RunFor(std::int64_t duration);
  std::int64_t Delay();
  void MoveOn();
  void Finish();

  const Mutation mutation_;
  const bool trace_;
  Random random_;
  Settings settings_;
  Scheduler clock_;
  Journal journal_;
  Sinks sinks_;
  Sources sources_;

  bool faults_ = true;
  std::uint64_t epoch_ = 0;
  std::uint64_t driver_life_ = 0;
  std::unique_ptr<JobMaster> master_;
  std::int64_t tick_at_ = 0;
  std::uint64_t ticks_now_ = 0;
  std::int64_t last_tick_ = 0;
  std::size_t pending_max_ = 0;
  std::uint64_t committed_ = 0;  // the most that any driver has taken for committed
  JobState ended_ = JobState::kStarting;
  std::map<std::string, std::uint64_t> seen_;
  std::map<std::string, StateContent> checkpoint_store_;  // files by name; shared by all, and survives everything
  std::set<std::string> damaged_;                         // of them
  std::map<std::string, Executor> executors_;
  std::map<std::string, Process> processes_;
  std::map<std::pair<std::string, std::string>, Link> links_;
  std::set<std::string> stopped_;  // runners that were to be stopped
};

}  // namespace millrace::simulation
