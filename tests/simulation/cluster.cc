#include "tests/simulation/cluster.h"

#include <algorithm>
#include <cstdio>

#include "common/status.h"

namespace millrace::simulation {
namespace {
constexpr std::int64_t kStartOfTime = 1'700'000'000'000'123;
constexpr std::int64_t kPulse = 4'000;
constexpr std::int64_t kPatience = 40'000'000;
}  // namespace

Cluster::Settings::Settings(Random& random) {
  bounded = random.Chance(0.35);
  plan = MakePlan(random.Below(kPlanShapes), bounded, random.Between(5, 40) * 1'000);
  if (random.Chance(0.3)) {
    for (StagePlan& stage : plan.stages) stage.replicated = stage.sinks.empty() && !stage.stateful;
  }
  limits.pending_batches_max = 1 + random.Below(4);
  limits.attempts_max = 1'000'000;
  limits.retained_batches_max = 4 + random.Below(30);
  limits.checkpoints_kept = 2 + random.Below(kCheckpointsKeptMax - 1);
  executors = static_cast<int>(1 + random.Below(4));
  constexpr double kHarshness[] = {0.1, 0.5, 1, 3};
  harshness = kHarshness[random.Below(4)];
  constexpr double kTaskFailures[] = {0, 0.003, 0.02};
  task_failures = kTaskFailures[random.Below(3)];
  restarts = random.Chance(0.6);
  faults_us = random.Between(1'000, 4'000) * 1'000;
  if (random.Chance(0.05)) source_away_us = random.Between(0, 6'000) * 1'000;
}

Cluster::Cluster(std::uint64_t seed, Mutation mutation, bool trace)
    : mutation_(mutation),
      trace_(trace),
      random_(seed),
      settings_(random_),
      clock_(kStartOfTime),
      journal_(settings_.plan.stateful()),
      sinks_(settings_.plan, journal_, mutation),
      sources_(settings_.plan, settings_.bounded, random_),
      pending_max_(settings_.limits.pending_batches_max) {
  for (int i = 1; i <= settings_.executors; ++i) executors_[Concat("e", i)].up = i == 1 || random_.Chance(0.7);
}

Cluster::~Cluster() = default;

void Cluster::Say(const std::string& who, const std::string& what) {
  if (trace_)
    std::printf("%10.3f ms  %-8s %s\n", static_cast<double>(clock_.now() - kStartOfTime) / 1000, who.c_str(),
                what.c_str());
}

std::uint64_t Cluster::Live() {
  Say("world",
      Concat(settings_.plan.name, settings_.bounded ? " bounded, " : ", ", settings_.executors, " executors, interval ",
             settings_.plan.batch_interval_us, " us, harshness ", settings_.harshness));
  for (const auto& [name, executor] : executors_) {
    if (!executor.up) clock_.In(random_.Between(0, 1'500'000), [this, e = name] { BringBack(e); });
  }
  StartDriver();
  EveryFewMilliseconds();
  RunFor(settings_.faults_us);
  faults_ = false;
  Say("world", "no more faults");
  sources_.RevealAll();
  MoveOn();
  Finish();
  return static_cast<std::uint64_t>(std::distance(journal_.plans().begin(), journal_.plans().upper_bound(committed_)));
}

void Cluster::RunFor(std::int64_t duration) {
  const std::int64_t end = clock_.now() + duration;
  while (clock_.RunNext(end)) {
  }
}

void Cluster::MoveOn() {
  const std::uint64_t before = committed_;
  const std::int64_t deadline = clock_.now() + kPatience;
  const auto done = [&] { return HasEnded(ended_) || (!settings_.bounded && committed_ >= before + 12); };
  while (!done()) {
    if (!clock_.RunNext(deadline)) {
      throw Violation{
          Concat("no progress after the faults: batch ", committed_, " is the last committed, ", before, " was then")};
    }
  }
}

void Cluster::Finish() {
  if (!settings_.bounded) {
    StepIn(0, StopRequested{false});
    const std::int64_t deadline = clock_.now() + kPatience;
    while (!HasEnded(ended_) && clock_.RunNext(deadline)) {
    }
  }
  const JobState wanted = settings_.bounded ? JobState::kFinished : JobState::kStopped;
  if (ended_ != wanted)
    throw Violation{Concat("the job's state is ", static_cast<int>(ended_), " at the end: ", master_->error())};
  RunFor(600'000);  // everything that is still on its way
  if (!processes_.empty()) throw Violation{Concat(processes_.begin()->first, " outlives its job")};
  const JobSnapshot& snapshot = journal_.restored();
  sinks_.CheckComplete(snapshot.last_batch);
  for (const PlannedBatch& planned : snapshot.pending) {  // what had no effects is in a snapshot only
    if (planned.batch <= snapshot.committed) continue;
    if (journal_.Plan(planned.batch) != nullptr)
      throw Violation{Concat("batch ", planned.batch, " is planned and was left behind")};
  }
  if (master_->committed_records() != snapshot.committed_records) {
    throw Violation{Concat("the driver counts ", master_->committed_records(), " records, the journal ",
                           snapshot.committed_records)};
  }
  if (settings_.plan.stateful() && !settings_.bounded && snapshot.checkpoint.batch != snapshot.last_batch) {
    throw Violation{Concat("the job has stopped after batch ", snapshot.last_batch,
                           ", its last checkpoint is of batch ", snapshot.checkpoint.batch)};
  }
  if (!settings_.bounded || settings_.plan.stateful()) return;
  for (const StagePlan& stage : settings_.plan.stages) {
    for (const std::uint32_t sink : stage.sinks) {
      if (sinks_.Total(sink) == sources_.total()) continue;
      throw Violation{Concat("sink ", sink, " has ", sinks_.Total(sink), " records of ", sources_.total())};
    }
  }
}

// ---- what breaks ----

void Cluster::EveryFewMilliseconds() {
  sources_.Grow(random_);
  if (faults_) BreakSomething();
  for (const auto& [id, process] : processes_) {
    if (process.connected) process.runner->CheckBounds();  // one that hears nothing cannot let go of anything
  }
  clock_.In(kPulse, [this] { EveryFewMilliseconds(); });
}

void Cluster::BreakSomething() {
  const double h = settings_.harshness;
  if (random_.Chance(0.005 * h)) LoseRunner();
  if (random_.Chance(0.005 * h)) BreakStream();
  if (random_.Chance(0.002 * h)) LoseExecutor();
  if (random_.Chance(0.002 * h)) LeaveExecutor();
  if (random_.Chance(0.010 * h)) BreakLink(AnyProcess(), AnyProcess());
  if (random_.Chance(0.005 * h)) FreezeRunner();
  if (settings_.restarts && random_.Chance(0.002 * h)) RestartDriver();
}

std::string Cluster::AnyProcess() {
  if (processes_.empty()) return {};
  return std::next(processes_.begin(), static_cast<std::ptrdiff_t>(random_.Below(processes_.size())))->first;
}

std::int64_t Cluster::Delay() {
  return faults_ && random_.Chance(0.01) ? random_.Between(5'000, 60'000) : random_.Between(30, 1'500);
}

void Cluster::Connect(const std::string& runner) {
  Process& process = processes_.at(runner);
  process.connected = true;
  process.greeted = false;
  ++process.stream;
  process.last_down = process.last_up = clock_.now();
  ToDriver(runner, RunnerUp{runner, Concat("address of ", runner), process.runner->holding()});
}

// The executor tells the new driver of a runner from before; most of them come by themselves soon after.
void Cluster::Adopt(const std::string& executor, const std::string& runner) {
  processes_.at(runner).waits = false;
  if (HasEnded(ended_)) return Kill(runner);  // told so by its executor
  Say(runner, "has waited for this driver");
  Saw("adopted runner");
  Step(RunnerFound{executor, runner});
  const std::uint64_t stream = processes_.contains(runner) ? processes_.at(runner).stream : 0;
  const bool lost = random_.Chance(0.05);
  clock_.In(random_.Between(100, lost ? 2'000'000 : 100'000), [this, runner, stream, lost, life = driver_life_] {
    const auto it = processes_.find(runner);
    if (life != driver_life_) return;  // the next driver hears of it in its turn
    if (it == processes_.end() || it->second.stream != stream || lost) {
      Kill(runner);
      Step(RunnerLost{runner, "it did not come back", std::nullopt});
      return;
    }
    Connect(runner);
  });
}

void Cluster::Kill(const std::string& runner) {
  if (processes_.erase(runner) > 0) Say(runner, "is gone");
}

void Cluster::Orphan(const std::string& runner) {
  Process& process = processes_.at(runner);
  process.connected = process.waits = false;
  process.orphan = true;
  ++process.stream;
  Say(runner, "has lost its driver");
  Saw("orphan");
  clock_.In(random_.Between(0, 400'000), [this, runner] { Kill(runner); });
}

void Cluster::LoseRunner() {
  const std::string runner = AnyProcess();
  if (runner.empty()) return;
  Say(runner, "dies");
  Saw("dead runner");
  Kill(runner);
  RunnerLost lost{runner, "killed by the simulation", std::nullopt};
  if (random_.Chance(0.3)) lost.crash = Crash{11, 0, committed_ + random_.Below(3)};
  StepIn(random_.Between(100, 200'000), lost);
}

void Cluster::FreezeRunner() {
  const std::string runner = AnyProcess();
  if (runner.empty()) return;
  Saw("frozen runner");
  processes_.at(runner).runner->Freeze(random_.Between(5'000, 300'000));
}

void Cluster::BreakStream() {
  const std::string runner = AnyProcess();
  if (runner.empty() || !processes_.at(runner).connected) return;
  if (random_.Chance(0.4)) {  // it comes back before the driver gives it up
    Process& process = processes_.at(runner);
    process.connected = false;
    ++process.stream;
    Say(runner, "loses its stream");
    Saw("new stream of a live runner");
    clock_.In(random_.Between(100, 60'000), [this, runner, stream = process.stream] {
      const auto it = processes_.find(runner);
      if (it != processes_.end() && it->second.stream == stream) Connect(runner);
    });
    return;
  }
  Orphan(runner);
  StepIn(random_.Between(100, 300'000), RunnerLost{runner, "its stream broke", std::nullopt});
}

void Cluster::LoseExecutor() {
  auto it = std::next(executors_.begin(), static_cast<std::ptrdiff_t>(random_.Below(executors_.size())));
  if (!it->second.up) return;
  const std::string name = it->first;
  Say(name, "is lost");
  Saw("lost executor");
  it->second.up = false;
  ++it->second.life;
  std::vector<std::string> runners;
  for (const auto& [id, process] : processes_) {
    if (process.runner->executor() == name) runners.push_back(id);
  }
  for (const std::string& id : runners) random_.Chance(0.5) ? Orphan(id) : Kill(id);
  const std::int64_t noticed = random_.Between(100, 300'000);
  StepIn(noticed, ExecutorLost{name, "lost by the simulation"});
  clock_.In(noticed + random_.Between(1'000, 1'000'000), [this, name] { BringBack(name); });
}

// It says that it goes, and is gone when it is let go or has lost its patience; another one comes later.
void Cluster::LeaveExecutor() {
  auto it = std::next(executors_.begin(), static_cast<std::ptrdiff_t>(random_.Below(executors_.size())));
  if (!it->second.up) return;
  const std::string name = it->first;
  Say(name, "leaves");
  Saw("leaving executor");
  StepIn(Delay(), ExecutorLeaving{name});
  const std::int64_t patience = random_.Between(1'000, 2'000'000);
  clock_.In(patience, [this, name, life = it->second.life] {
    Executor& executor = executors_.at(name);
    if (!executor.up || executor.life != life) return;
    executor.up = false;
    ++executor.life;
    std::vector<std::string> runners;
    for (const auto& [id, process] : processes_) {
      if (process.runner->executor() == name) runners.push_back(id);
    }
    for (const std::string& id : runners) Kill(id);
    Saw(!runners.empty() ? "executor gone before it was let go" : "executor gone after it was let go");
    const std::int64_t noticed = random_.Between(100, 300'000);
    StepIn(noticed, ExecutorLost{name, "it has left"});
    clock_.In(noticed + random_.Between(1'000, 1'000'000), [this, name] { BringBack(name); });
  });
}

void Cluster::BringBack(const std::string& executor) {
  executors_.at(executor).up = true;
  Register(executor, Delay());
}

void Cluster::BreakLink(const std::string& from, const std::string& to) {
  if (from.empty() || from == to) return;
  Link& link = links_[{from, to}];
  ++link.generation;
  link.down_until = clock_.now() + random_.Between(100, 50'000);
  Say(from, Concat("loses its link to ", to));
  Saw("broken link");
  clock_.At(link.down_until, [this, from, to] {
    const auto it = processes_.find(from);
    if (it == processes_.end() || !processes_.contains(to) || mutation_ == Mutation::kSilentLoss) return;
    it->second.runner->Deliver([to](SimRunner& r) { r.Take(runner::PeerReconnected{to}); });
  });
}

void Cluster::Push(const std::string& from, const std::string& to, SimBlock block) {
  if (faults_ && random_.Chance(0.001 * settings_.harshness)) BreakLink(from, to);
  const Link& link = links_[{from, to}];
  if (clock_.now() < link.down_until || !processes_.contains(to)) return;
  const int copies = faults_ && random_.Chance(0.03) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    clock_.In(Delay(), [this, from, to, generation = link.generation, block] {
      const auto it = processes_.find(to);
      if (it == processes_.end() || links_[{from, to}].generation != generation) return;
      it->second.runner->Deliver([block](SimRunner& r) { r.TakeBlock(block); });
    });
  }
}

// Travels back on the stream on which the other pushes: when that breaks, everything is pushed again.
void Cluster::Ask(const std::string& from, const std::string& to, std::vector<runner::MadeBlock> blocks) {
  const Link& link = links_[{to, from}];
  if (clock_.now() < link.down_until || !processes_.contains(to)) return;
  clock_.In(Delay(), [this, from, to, generation = link.generation, blocks = std::move(blocks)] {
    const auto it = processes_.find(to);
    if (it == processes_.end() || links_[{to, from}].generation != generation) return;
    it->second.runner->Deliver([from, blocks](SimRunner& r) { r.Resend(from, blocks); });
  });
}

// Not one without which the job cannot go on: an older checkpoint must do without it, also when the next one, which may
// be on its way to the journal, has taken the place of the oldest.
bool Cluster::IsDamaged(const std::string& file) {
  if (damaged_.contains(file)) return true;
  if (!faults_ || !random_.Chance(0.1 * settings_.harshness)) return false;
  std::size_t older = settings_.limits.checkpoints_kept;
  for (const Checkpoint& checkpoint : journal_.restored().checkpoints_before) {
    if (--older <= 1) return false;
    bool good = true;
    for (const auto& [task, chain] : checkpoint.chains) {
      good = good && std::ranges::none_of(
                         chain, [&](const StateFile& f) { return f.name == file || damaged_.contains(f.name); });
    }
    if (!good) continue;
    Say("world", Concat(file, " is damaged"));
    damaged_.insert(file);
    return true;
  }
  return false;
}

SplitReport Cluster::List(std::uint32_t source) {
  if ((faults_ && random_.Chance(0.1)) || clock_.now() < kStartOfTime + settings_.source_away_us) {
    SplitReport report;
    report.source = source;
    report.problem = "the source does not answer";
    return report;
  }
  return sources_.List(source);
}

}  // namespace millrace::simulation
