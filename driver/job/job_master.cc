#include "driver/job/job_master.h"

#include <algorithm>
#include <cstring>

#include "common/status.h"

namespace millrace {
namespace {

// A driver that was away longer than this does not live through every batch time it missed: the next batch takes all
// input at once, and its time is the newest. Batch numbers stay dense.
constexpr std::int64_t kMissedBatchesMax = 1000;

bool AnyTaskRuns(const JobPlan& plan, const std::vector<Range>& ranges) {
  const std::vector<bool> runs = RunningStages(plan, ranges);
  return std::ranges::find(runs, true) != runs.end();
}

// Whether anything depends on this batch: else it needs neither journal nor Go.
bool HasEffects(const JobPlan& plan, const std::vector<Range>& ranges) {
  return AnyTaskRuns(plan, ranges) ||
         std::ranges::any_of(ranges, [](const Range& r) { return r.end != r.start || r.finished; });
}

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? Concat("signal ", signal) : Concat("SIG", name);
}

}  // namespace

JobMaster::JobMaster(std::string job_id, JobPlan plan, std::uint64_t epoch, JobLimits limits,
                     const JobSnapshot* restored)
    : job_id_(std::move(job_id)),
      plan_(std::move(plan)),
      limits_(limits),
      runners_(job_id_, epoch),
      splits_(plan_),
      route_(plan_, epoch),
      batches_(plan_),
      checkpoints_(plan_, limits_.checkpoints_kept) {
  if (restored == nullptr) return;
  splits_.Restore(restored->splits);
  last_batch_ = restored->last_batch;
  last_batch_time_us_ = restored->last_batch_time_us;
  committed_ = restored->committed;
  committed_records_ = restored->committed_records;
  source_records_ = restored->source_records;
  counts_ = restored->counts;
  checkpoints_.Restore(restored->checkpoint, restored->checkpoints_before);
  route_.SetCheckpoint(restored->checkpoint);
  for (const PlannedBatch& planned : restored->pending) {
    if (planned.batch <= committed_) {
      batches_.Retain(planned);
      continue;
    }
    batches_.Add(planned, planned.batch_time_us, HasEffects(plan_, planned.ranges));
    batches_.MarkDurable(planned.batch);
  }
  batches_.Release(checkpoints_.oldest().batch);
}

void JobMaster::Step(std::int64_t now, const JobEvent& event, std::vector<JobAction>* actions) {
  if (HasEnded(state_)) return;
  MR_CHECK(now >= now_);
  now_ = now;
  actions_ = actions;
  std::visit([this](const auto& e) { On(e); }, event);
  if (!HasEnded(state_)) {
    StartDueRunners();
    MaybePlan();
    CommitDone();
    MaybeCheckpoint();
    ReleaseLeaving();
    MaybeCut();
    MaybeFinish();
  }
  FlushWork();
  actions_ = nullptr;
}

std::optional<std::int64_t> JobMaster::next_wakeup() const {
  if (HasEnded(state_)) return std::nullopt;
  std::optional<std::int64_t> next = runners_.next_start();
  const auto sooner = [&](std::optional<std::int64_t> at) {
    if (at) next = std::min(next.value_or(*at), *at);
  };
  if (state_ == JobState::kStarting && start_deadline_ > now_)
    sooner(start_deadline_);  // past it, only an event can help
  sooner(stop_deadline_);
  if (cut_ && cut_->missing == 0) sooner(cut_->due_us);  // nobody reads: the batch closes by our clock
  if (MayCut()) sooner(NextBatchTime());                 // it waits for Go, but not longer than this
  return next;
}

// ---- executors and runners ----

void JobMaster::On(const ExecutorUp& event) { runners_.AddExecutor(now_, event.executor); }

void JobMaster::On(const RunnerFound& event) { runners_.Adopt(now_, event.executor, event.runner); }

void JobMaster::On(const ExecutorLost& event) {
  const std::string runner = runners_.RemoveExecutor(event.executor);
  if (!runner.empty()) Reroute();
}

void JobMaster::On(const RunnerUp& event) {
  const bool again = runners_.IsUp(event.runner);  // on a new stream; it may not have heard of us on the old one
  if (!runners_.MarkUp(now_, event.runner, event.block_address)) return;
  if (!again && !Adopt(event)) return;
  if (event.runner == enumerator_) SendEnumerateTo(enumerator_);  // on a new stream: the first may be lost
  if (state_ == JobState::kStarting && !start_deadline_) start_deadline_ = now_ + limits_.start_wait_us;
  if (state_ == JobState::kStarting && enumerator_.empty() && !AllBack()) {
    AssignEnumerators();  // list the splits while the other runners start
    return;
  }
  Reroute();
}

// Takes a runner over from the driver before. What that one had told it was durable, so it is in our journal; a runner
// that knows more than the journal has followed another one, and begins anew. So does one that comes after its
// partitions have been given to others.
bool JobMaster::Adopt(const RunnerUp& event) {
  const Holding& holding = event.holding;
  if (holding.route_version == 0 || route_.Knows(holding.route_version)) return true;
  const std::uint64_t newest = holding.newest_go;
  const bool known = newest <= last_batch_ &&
                     (!batches_.Contains(newest) || batches_.GoOf(newest).ranges_hash == holding.newest_go_hash);
  // It may stand on a checkpoint that was passed over.
  const bool lacks = plan_.stateful() && holding.let_go > checkpointed();
  if (!known || lacks || state_ != JobState::kStarting) {
    const std::string executor = runners_.ExecutorOf(event.runner);
    actions_->push_back(StopRunner{executor, event.runner});
    runners_.MarkLost(now_, event.runner);
    return false;
  }
  route_.Adopt(event.runner, holding);
  batches_.MarkAllDone(std::min(holding.committed, last_batch_));
  for (const std::string& peer : holding.peers) {
    if (const std::string its = runners_.ExecutorIn(peer); !its.empty()) before_.insert(its);
  }
  return true;
}

void JobMaster::On(const RunnerLost& event) {
  const std::string executor = runners_.MarkLost(now_, event.runner);
  if (!executor.empty()) AfterRunnerLost(executor, event);
}

void JobMaster::AfterRunnerLost(const std::string& executor, const RunnerLost& event) {
  const int failures = runners_.failures(executor);
  if (event.crash) {
    const int crashes = ++crashes_[event.crash->batch];
    if (crashes >= limits_.attempts_max) {
      End(JobState::kFailed, Concat(plan_.Label(event.crash->op), " crashed with ", SignalName(event.crash->signal),
                                    " in batch ", event.crash->batch, ", ", crashes, " times, last on ", executor,
                                    ". The job's code is at fault: run it under `millrace local` with gdb"));
      return;
    }
  } else if (failures >= limits_.attempts_max) {
    End(JobState::kFailed,
        Concat("the runner on ", executor, " failed ", failures, " times in a row, last: ", event.reason));
    return;
  }
  Reroute();
}

void JobMaster::StartDueRunners() {
  for (StartRunner& start : runners_.TakeDue(now_)) actions_->push_back(std::move(start));
}

void JobMaster::Reroute() {
  AssignEnumerators();
  if (state_ == JobState::kStarting) {
    TryRun();
    return;
  }
  route_.Rebuild(runners_, splits_, batches_.pending_splits(checkpointed()), draining_);
  SendRouteAndWork();
}

void JobMaster::SendRouteAndWork() {
  for (const TaskKey task : route_.TakeMoved()) checkpoints_.Forget(task);
  mending_through_ = last_batch_ + (cut_ ? 1 : 0);
  for (const std::string& runner : runners_.up()) {
    actions_->push_back(SendRoute{runner, route_.route()});
    WorkFor(runner);  // what is committed: a runner of the driver before must hear it again
  }
  for (const Go& go : batches_.DurableGos(checkpointed())) SendGo(go);
  if (checkpoints_.under_way() != 0) {
    for (const std::string& runner : runners_.up()) WorkFor(runner).checkpoint = checkpoints_.under_way();
  }
  SendCut();
}

void JobMaster::AssignEnumerators() {
  const std::vector<std::string> up = runners_.owners();
  if (std::ranges::find(up, enumerator_) != up.end()) return;
  enumerator_ = up.empty() ? std::string() : up.front();
  if (!enumerator_.empty()) SendEnumerateTo(enumerator_);
}

void JobMaster::SendEnumerateTo(const std::string& runner) {
  SendEnumerate enumerate{runner, {}, {}};
  for (const SourcePlan& source : plan_.sources) {
    enumerate.sources.push_back(source.op);
    if (splits_.count(source.op) > 0) enumerate.resumed.push_back(source.op);
  }
  actions_->push_back(std::move(enumerate));
}

// ---- sources ----

void JobMaster::On(const SplitsReported& event) {
  if (event.runner != enumerator_) return;
  if (event.report.permanent && !event.report.problem.empty()) {
    End(JobState::kFailed, Concat(plan_.Label(event.report.source), ": ", event.report.problem));
    return;
  }
  std::vector<SplitState> added = splits_.Listed(event.report);
  const bool changed = !added.empty();
  if (changed) actions_->push_back(AppendSplits{std::move(added)});
  if (changed || state_ == JobState::kStarting) Reroute();
}

// ---- starting ----

bool JobMaster::AllBack() const {
  return runners_.AllUp() &&
         std::ranges::all_of(before_, [&](const std::string& executor) { return runners_.HasExecutor(executor); });
}

void JobMaster::TryRun() {
  if (!splits_.AllListed() || runners_.up().empty()) return;
  if (!AllBack() && start_deadline_ && now_ < *start_deadline_) return;
  state_ = JobState::kRunning;
  start_deadline_.reset();
  if (last_batch_time_us_ == 0) last_batch_time_us_ = now_ - now_ % plan_.batch_interval_us;
  route_.Rebuild(runners_, splits_, batches_.pending_splits(checkpointed()), draining_);
  SendRouteAndWork();
}

// ---- a batch's way ----

std::int64_t JobMaster::NextBatchTime() const {
  const std::int64_t next = last_batch_time_us_ + plan_.batch_interval_us;
  if (now_ - next < kMissedBatchesMax * plan_.batch_interval_us) return next;
  return now_ - (now_ - last_batch_time_us_) % plan_.batch_interval_us;
}

bool JobMaster::MayCut() const {
  if (OnlyDrains() ? draining_.empty() : state_ != JobState::kRunning) return false;
  return !cut_ && !runners_.up().empty() && batches_.pending() < limits_.pending_batches_max &&
         !splits_.AllFinished() && !CheckpointsLag();
}

// The next cut travels with Go. It does not wait for the journal once it is due: then the write would cost time.
void JobMaster::MaybeCut() {
  if (!MayCut() || (batches_.AwaitsJournal() && now_ < NextBatchTime())) return;
  cut_.emplace();
  cut_->batch = last_batch_ + 1;
  cut_->due_us = NextBatchTime();
  cut_->sent_us = now_;
  for (const SplitState* split : splits_.active()) {
    if (route_.OwnerOf(split->key).empty()) continue;  // joins with the next route
    if (OnlyDrains() && !draining_.contains(split->key)) continue;
    cut_->ranges[split->key];
  }
  cut_->missing = cut_->ranges.size();
  SendCut();
}

void JobMaster::SendCut() {
  if (!cut_) return;
  for (const auto& [key, range] : cut_->ranges) {
    if (range) continue;
    const std::string owner = route_.OwnerOf(key);
    if (owner.empty()) continue;
    const SplitState* split = splits_.Find(key);
    Cut& cut = WorkFor(owner).cut;
    cut.batch = cut_->batch;
    cut.batch_time_us = cut_->due_us;
    cut.after_us = std::max<std::int64_t>(0, cut_->due_us - now_);
    const auto drain = draining_.find(key);
    cut.splits.push_back(
        {key, split->ordinal, split->position, 0, drain != draining_.end() && cut_->batch >= drain->second});
  }
}

void JobMaster::On(const RangesReported& event) {
  if (!cut_ || event.report.batch != cut_->batch) return;
  for (const Range& range : event.report.ranges) {
    const auto it = cut_->ranges.find(range.key);
    if (it == cut_->ranges.end() || it->second) continue;  // the first answer is the plan; a late one is read again
    const SplitState* split = splits_.Find(range.key);
    if (split == nullptr || range.start != split->position) continue;
    it->second = range;
    it->second->ordinal = split->ordinal;
    --cut_->missing;
  }
}

void JobMaster::MaybePlan() {
  if (!cut_ || cut_->missing > 0 || (cut_->ranges.empty() && now_ < cut_->due_us)) return;
  PlannedBatch planned{cut_->batch, cut_->due_us, {}};
  for (auto& [key, range] : cut_->ranges) planned.ranges.push_back(std::move(*range));
  const std::int64_t cut_us = std::max(cut_->due_us, cut_->sent_us);
  cut_.reset();
  last_batch_ = planned.batch;
  last_batch_time_us_ = planned.batch_time_us;
  splits_.Advance(planned.ranges);
  const bool moves = NoteDrained(planned);
  const bool effects = HasEffects(plan_, planned.ranges);
  if (effects) actions_->push_back(AppendPlanned{planned});
  batches_.Add(std::move(planned), cut_us, effects);
  if (moves) Reroute();
}

void JobMaster::On(const PlanDurable& event) {
  if (!batches_.Contains(event.batch)) return;
  batches_.MarkDurable(event.batch);
  const bool wanted = savepoint_from_ != 0 && event.batch >= savepoint_from_ && plan_.stateful() &&
                      checkpoints_.under_way() == 0 && event.batch > checkpointed();
  if (wanted || checkpoints_.Due(event.batch)) {
    checkpoints_.Begin(event.batch);  // before anybody can have passed it
    if (event.batch >= savepoint_from_) savepoint_from_ = 0;
  }
  SendGo(batches_.GoOf(event.batch));
}

void JobMaster::SendGo(const Go& go) {
  if (!AnyTaskRuns(plan_, go.ranges)) return;
  for (const std::string& runner : runners_.up()) {
    BatchWork& work = WorkFor(runner);
    work.go.push_back(go);
    if (checkpoints_.under_way() == go.batch) work.checkpoint = go.batch;
  }
}

void JobMaster::On(const DoneReported& event) {
  lost_records_ += event.done.lost_records;
  batches_.MarkDone(event.done.batch, event.done.tasks);
  batches_.AddCounts(event.done.batch, event.done.counts);
}

void JobMaster::CommitDone() {
  const std::vector<BatchLedger::Committed> done = batches_.TakeCommitted(now_);
  // After a change of owners a runner may hold a task of a batch that ended without it, and keep later ones waiting
  // behind it. Normally the next Go tells it in time; here there may be none.
  if (!done.empty() && done.front().planned.batch <= mending_through_) {
    for (const std::string& runner : runners_.up()) WorkFor(runner);
  }
  for (const auto& [batch, effects, counts] : done) {
    for (const auto& [counter, value] : counts) counts_[counter] += value;
    MR_CHECK(batch.batch > committed_);
    committed_ = batch.batch;
    for (const Range& range : batch.ranges) {
      committed_records_ += range.records;
      source_records_[range.key.source] += range.records;
    }
    if (!effects) continue;
    actions_->push_back(AppendCommitted{batch.batch});
    runners_.Forgive();
  }
  crashes_.erase(crashes_.begin(), crashes_.upper_bound(committed_));
}

// ---- messages ----

BatchWork& JobMaster::WorkFor(const std::string& runner) { return work_[runner]; }

void JobMaster::FlushWork() {
  for (auto& [runner, work] : work_) {
    work.route_version = route_.version();
    work.committed = committed_;
    if (plan_.stateful()) work.checkpointed = checkpoints_.newest().batch;
    actions_->push_back(SendWork{runner, std::move(work)});
  }
  work_.clear();
}

// ---- views ----

JobSnapshot JobMaster::Snapshot() const {
  JobSnapshot snapshot;
  snapshot.splits = splits_.all();
  snapshot.last_batch = last_batch_;
  snapshot.last_batch_time_us = last_batch_time_us_;
  snapshot.committed = committed_;
  snapshot.committed_records = committed_records_;
  snapshot.source_records = source_records_;
  snapshot.checkpoint = checkpoints_.newest_appended();
  snapshot.checkpoints_before = checkpoints_.before_appended();
  snapshot.pending = batches_.pending_batches();
  snapshot.counts = counts_;
  return snapshot;
}

std::uint64_t JobMaster::committed_records(std::uint32_t source) const {
  const auto it = source_records_.find(source);
  return it == source_records_.end() ? 0 : it->second;
}

std::string JobMaster::Notice() const {
  if (HasEnded(state_)) return {};
  if (!runners_.has_executors()) return "waiting for an executor to connect";
  if (runners_.up().empty()) return "waiting for a runner to start";
  for (const SourcePlan& source : plan_.sources) {
    if (!splits_.problem(source.op).empty()) return Concat(plan_.Label(source.op), ": ", splits_.problem(source.op));
  }
  if (state_ == JobState::kStopping) return StopNotice();
  if (CheckpointsLag()) return Concat("waiting for the checkpoint of batch ", checkpoints_.under_way());
  if (state_ == JobState::kStarting) return "listing the sources' splits";
  return {};
}

}  // namespace millrace
