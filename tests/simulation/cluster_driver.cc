// The simulated driver daemon: carries the job master's actions out.
#include <algorithm>

#include "common/status.h"
#include "tests/simulation/cluster.h"

namespace millrace::simulation {

void Cluster::StartDriver() {
  if (epoch_ == 0 || mutation_ != Mutation::kEpochReused) ++epoch_;
  ++driver_life_;
  tick_at_ = 0;
  Say("driver", Concat("starts with epoch ", epoch_));
  if (driver_life_ == 1) {
    master_ = std::make_unique<JobMaster>("j-sim", settings_.plan, epoch_, settings_.limits);
  } else {
    const JobSnapshot& snapshot = journal_.restored();
    if (!snapshot.pending.empty()) Saw("restored batch");
    const auto uncommitted = std::ranges::count_if(
        snapshot.pending, [&](const PlannedBatch& planned) { return planned.batch > snapshot.committed; });
    pending_max_ = std::max(settings_.limits.pending_batches_max, static_cast<std::size_t>(uncommitted));
    master_ = std::make_unique<JobMaster>("j-sim", settings_.plan, epoch_, settings_.limits, &snapshot);
  }
  for (const auto& [name, executor] : executors_) {
    if (executor.up) Register(name, random_.Between(100, 100'000));
  }
}

// Runners live on and wait for the next driver, but for some that do not.
void Cluster::RestartDriver() {
  if (master_ == nullptr || HasEnded(ended_)) return;
  Say("driver", "dies");
  Saw("dead driver");
  journal_.Advance(clock_.now());
  journal_.Crash(random_);
  if (mutation_ == Mutation::kJournalForgets) journal_.ForgetLastPlan();
  master_.reset();
  ++driver_life_;
  std::vector<std::string> runners;
  for (const auto& [id, process] : processes_) runners.push_back(id);
  for (const std::string& id : runners) {
    if (processes_.at(id).orphan) continue;
    if (random_.Chance(0.2)) {
      Orphan(id);
      continue;
    }
    Process& process = processes_.at(id);
    process.connected = process.greeted = false;
    ++process.stream;
    process.waits = true;
  }
  clock_.In(random_.Between(1'000, 200'000), [this] { StartDriver(); });
}

void Cluster::StepIn(std::int64_t delay, JobEvent event) {
  clock_.In(delay, [this, life = driver_life_, event = std::move(event)] {
    if (life == driver_life_) Step(event);
  });
}

void Cluster::Step(const JobEvent& event) {
  if (master_ == nullptr) return;
  journal_.Advance(clock_.now());
  const bool had_ended = HasEnded(master_->state());
  std::vector<JobAction> actions;
  master_->Step(clock_.now(), event, &actions);
  if (had_ended && !actions.empty()) throw Violation{"the job has ended, and still acts"};
  for (const JobAction& action : actions) {
    std::visit([this](const auto& a) { Do(a); }, action);
  }
  CheckAfterStep();
  if (!HasEnded(ended_) && random_.Chance(0.01)) Append(master_->Snapshot());  // as when the journal is compacted
  ScheduleTick();
}

void Cluster::Register(const std::string& executor, std::int64_t delay) {
  clock_.In(delay, [this, executor, life = driver_life_, executor_life = executors_.at(executor).life] {
    const Executor& now = executors_.at(executor);
    if (life != driver_life_ || !now.up || now.life != executor_life) return;
    std::vector<std::string> waiting;
    for (const auto& [id, process] : processes_) {
      if (process.waits && process.runner->executor() == executor) waiting.push_back(id);
    }
    if (waiting.empty()) return Step(ExecutorUp{executor});
    Adopt(executor, waiting.front());
  });
}

void Cluster::ScheduleTick() {
  const std::optional<std::int64_t> wake = master_->next_wakeup();
  if (!wake) return;
  const std::int64_t at = std::max(*wake, clock_.now());
  if (tick_at_ >= clock_.now() && tick_at_ <= at && tick_at_ != 0) return;
  tick_at_ = at;
  clock_.At(at, [this, life = driver_life_, at] {
    if (life != driver_life_ || tick_at_ != at) return;
    tick_at_ = 0;
    ticks_now_ = last_tick_ == at ? ticks_now_ + 1 : 0;
    last_tick_ = at;
    if (ticks_now_ > 1'100) throw Violation{"the job master asks to be woken again and again at one time"};
    Step(Tick{});
  });
}

void Cluster::CheckAfterStep() {
  if (master_->batches().pending() > pending_max_)
    throw Violation{Concat(master_->batches().pending(), " batches are pending")};
  if (master_->committed() <= committed_) return;
  committed_ = master_->committed();
  sinks_.CheckComplete(committed_);
}

void Cluster::ToDriver(const std::string& runner, JobEvent event) {
  const auto it = processes_.find(runner);
  if (it == processes_.end() || !it->second.connected || master_ == nullptr) return;
  Process& process = it->second;
  process.last_up = std::max(process.last_up, clock_.now() + Delay());
  clock_.At(process.last_up, [this, runner, stream = process.stream, life = driver_life_, event = std::move(event)] {
    const auto found = processes_.find(runner);
    if (life != driver_life_ || found == processes_.end() || found->second.stream != stream) return;
    found->second.greeted = true;  // the hello comes first, and is answered before anything else is sent on this stream
    Step(event);
  });
}

void Cluster::ToRunner(const std::string& runner, std::function<void(SimRunner&)> what) {
  const auto it = processes_.find(runner);
  if (it == processes_.end() || !it->second.connected || !it->second.greeted) return;
  Process& process = it->second;
  process.last_down = std::max(process.last_down, clock_.now() + Delay());
  clock_.At(process.last_down, [this, runner, stream = process.stream, epoch = epoch_, what = std::move(what)] {
    const auto found = processes_.find(runner);
    if (found == processes_.end() || found->second.stream != stream) return;
    found->second.runner->Deliver([epoch, what](SimRunner& r) {
      if (r.Follow(epoch)) what(r);
    });
  });
}

void Cluster::Do(const StartRunner& action) {
  const Executor& executor = executors_.at(action.executor);
  if (!executor.up) return;
  Say("driver", Concat("starts ", action.runner));
  if (faults_ && random_.Chance(0.05))
    return StepIn(Delay(), RunnerLost{action.runner, "it did not start", std::nullopt});
  clock_.In(random_.Between(2'000, 60'000), [this, action, life = driver_life_, executor_life = executor.life] {
    const Executor& now = executors_.at(action.executor);
    if (life != driver_life_ || !now.up || now.life != executor_life || HasEnded(ended_)) return;
    if (stopped_.contains(action.runner)) return;  // its executor has heard of that before it had begun
    processes_[action.runner].runner = std::make_shared<SimRunner>(*this, action.runner, action.executor, epoch_);
    Connect(action.runner);
  });
}

void Cluster::Do(const StopRunner& action) {
  stopped_.insert(action.runner);
  clock_.In(Delay(), [this, runner = action.runner] { Kill(runner); });
}

void Cluster::Do(const SendRoute& action) {
  Say("driver", Concat("sends route ", action.route->version, " to ", action.runner));
  ToRunner(action.runner, [route = action.route](SimRunner& r) { r.Take(runner::RouteReceived{*route}); });
}

void Cluster::Do(const SendWork& action) {
  for (const Go& go : action.work.go) {
    const PlannedBatch* plan = journal_.Plan(go.batch);
    if (plan == nullptr) throw Violation{Concat("Go of batch ", go.batch, " before its plan is durable")};
    if (plan->ranges != go.ranges)
      throw Violation{Concat("Go of batch ", go.batch, " names other ranges than its plan")};
    if (trace_) Say("driver", Concat("sends Go ", go.batch, " to ", action.runner));
    if (action.work.cut.batch > go.batch) Saw("Go and cut in one message");
  }
  if (trace_ && action.work.cut.batch != 0) {
    Say("driver",
        Concat("sends Cut ", action.work.cut.batch, " in ", action.work.cut.after_us, " us to ", action.runner));
  }
  ToRunner(action.runner, [work = action.work](SimRunner& r) { r.Take(runner::WorkReceived{work}); });
}

void Cluster::Do(const SendEnumerate& action) {
  ToRunner(action.runner, [sources = action.sources](SimRunner& r) { r.Enumerate(sources); });
}

void Cluster::Append(JournalRecord record) {
  const std::int64_t write = random_.Chance(0.03) ? random_.Between(10'000, 100'000) : random_.Between(100, 4'000);
  journal_.Append(std::move(record), std::max(journal_.last_durable_at(), clock_.now() + write));
}

void Cluster::Do(const AppendSplits& action) {
  Saw("new split");
  Append(action);
}

void Cluster::Do(const AppendPlanned& action) {
  Append(action);
  const bool early = mutation_ == Mutation::kEarlyDurable && random_.Chance(0.5);
  StepIn(early ? 0 : journal_.last_durable_at() - clock_.now(), PlanDurable{action.planned.batch});
}

void Cluster::Do(const AppendCheckpoint& action) {
  Saw("checkpoint");
  if (trace_) Say("driver", Concat("has checkpoint ", action.checkpoint.batch));
  Append(action);
  StepIn(journal_.last_durable_at() - clock_.now(), CheckpointDurable{action.checkpoint.batch});
}

void Cluster::Do(const PassedOver& action) {
  Saw("passed over");
  if (action.instead == 0) Saw("passed over to the begin");
  Say("driver", Concat("passes over checkpoint ", action.checkpoint, " and goes on from ", action.instead));
  Append(master_->Snapshot());
}

void Cluster::Do(const AppendCommitted& action) {
  if (journal_.Plan(action.batch) == nullptr)
    throw Violation{Concat("batch ", action.batch, " is committed without a durable plan")};
  if (trace_) Say("driver", Concat("takes batch ", action.batch, " for committed"));
  Append(action);
}

void Cluster::Do(const EndJob& action) {
  Say("driver", Concat("ends the job, state ", static_cast<int>(action.state), " ", action.error));
  ended_ = action.state;
  if (ended_ == JobState::kFailed) throw Violation{Concat("the job failed: ", action.error)};
  // What was asked of the journal before the end is written before the end.
  journal_.Advance(journal_.last_durable_at());
}

}  // namespace millrace::simulation
