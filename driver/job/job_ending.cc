// How a job ends, and how an executor leaves it: receivers stop first, what is under way is finished, and a last
// checkpoint is taken.
#include <algorithm>

#include "common/status.h"
#include "driver/job/job_master.h"

namespace millrace {

void JobMaster::On(const StopRequested& event) {
  if (event.now || state_ == JobState::kStarting) {
    cut_.reset();  // a batch that was cut but not planned never happened
    End(JobState::kStopped, "");
    return;
  }
  if (event.wait_us > 0 || !stop_deadline_)
    stop_deadline_ = now_ + (event.wait_us > 0 ? event.wait_us : limits_.stop_wait_us);
  if (state_ == JobState::kStopping) return;
  state_ = JobState::kStopping;
  if (event.drain) Drain("");
  if (draining_.empty()) cut_.reset();
}

void JobMaster::On(const Tick&) {
  if (state_ == JobState::kStarting) TryRun();
  if (stop_deadline_ && now_ >= *stop_deadline_) End(JobState::kStopped, "");
}

// No new input is taken but what receivers hold.
bool JobMaster::OnlyDrains() const {
  return state_ == JobState::kStopping || (state_ == JobState::kRunning && runners_.AllLeave());
}

// Receivers that this runner (empty: any runner) has stop with the next cut. The one that is open may be answered by
// now.
void JobMaster::Drain(const std::string& runner) {
  for (const SplitState* split : splits_.active()) {
    const auto source = std::ranges::find(plan_.sources, split->key.source, &SourcePlan::op);
    if (source == plan_.sources.end() || !source->receiver) continue;
    const std::string owner = route_.OwnerOf(split->key);
    if (owner.empty() || (!runner.empty() && owner != runner)) continue;
    draining_.try_emplace(split->key, last_batch_ + (cut_ ? 2 : 1));
  }
}

// True when a split may move now, whose runner leaves.
bool JobMaster::NoteDrained(const PlannedBatch& planned) {
  bool moves = false;
  for (const Range& range : planned.ranges) {
    const auto it = draining_.find(range.key);
    if (it == draining_.end() || planned.batch < it->second || range.records > 0) continue;
    draining_.erase(it);
    moves = !leaving_.empty();
  }
  return moves;
}

// ---- savepoints ----

void JobMaster::On(const SavepointRequested&) { savepoint_from_ = last_batch_ + 1; }

// ---- executors that leave ----

// Its partitions go to others at once. It stays a peer, with its blocks, until nothing can be asked of it any more: the
// batches it had a part in are committed, and no state needs them.
void JobMaster::On(const ExecutorLeaving& event) {
  if (!runners_.SetLeaving(event.executor) || leaving_.contains(event.executor)) return;
  leaving_[event.executor] = last_batch_ + (cut_ ? 1 : 0);
  if (state_ == JobState::kStarting) return;
  Drain(runners_.RunnerOn(event.executor));
  if (state_ == JobState::kRunning && plan_.stateful()) savepoint_from_ = last_batch_ + 1;
  Reroute();
}

bool JobMaster::MayGo(const std::string& runner, std::uint64_t through) const {
  if (!runners_.IsUp(runner) || state_ == JobState::kStarting) return true;
  if (runners_.AllLeave()) {  // nobody takes its partitions over: it goes when all is done
    if (cut_ || !draining_.empty() || batches_.pending() > 0) return false;
  } else if (route_.OwnsAny(runner)) {
    return false;
  }
  return committed_ >= through && (!plan_.stateful() || checkpointed() >= through);
}

void JobMaster::ReleaseLeaving() {
  bool changed = false;
  for (auto it = leaving_.begin(); it != leaving_.end();) {
    auto& [executor, through] = *it;
    const std::string runner = runners_.RunnerOn(executor);
    if (runners_.AllLeave() || route_.OwnsAny(runner)) through = last_batch_ + (cut_ ? 1 : 0);
    const bool leaves = runners_.IsLeaving(executor);  // else it is lost, or has come back
    if (leaves && !MayGo(runner, through)) {
      ++it;
      continue;
    }
    if (leaves && !runner.empty()) actions_->push_back(StopRunner{executor, runner});
    if (leaves) runners_.Release(executor);
    changed = changed || leaves;
    it = leaving_.erase(it);
  }
  if (changed) Reroute();
}

// ---- the end ----

std::string JobMaster::StopNotice() const {
  if (!draining_.empty() || cut_) return Concat("stopping: ", draining_.size(), " receivers give what they hold");
  if (batches_.pending() > 0) return Concat("stopping: ", batches_.pending(), " batches are not committed yet");
  return Concat("stopping: waiting for the checkpoint of batch ", checkpoints_.under_way());
}

void JobMaster::MaybeFinish() {
  if (HasEnded(state_) || batches_.pending() > 0) return;
  if (state_ == JobState::kStopping) {
    if (cut_ || !draining_.empty()) return;
    if (plan_.stateful() && checkpointed() < last_batch_) return;
    End(JobState::kStopped, "");
    return;
  }
  if (state_ == JobState::kRunning && !cut_ && splits_.AllFinished()) End(JobState::kFinished, "");
}

void JobMaster::End(JobState state, std::string error) {
  state_ = state;
  error_ = error;
  cut_.reset();
  work_.clear();
  for (StopRunner& stop : runners_.all()) actions_->push_back(std::move(stop));
  actions_->push_back(EndJob{state, std::move(error)});
}

}  // namespace millrace
