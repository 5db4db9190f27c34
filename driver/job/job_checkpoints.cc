// When a job's state is saved, what is done about checkpoints that are damaged, and what about tasks that fail.
#include <algorithm>

#include "common/status.h"
#include "driver/job/job_master.h"

namespace millrace {

// Batches since the last checkpoint are held in memory here and as blocks by the runners: that must end somewhere.
bool JobMaster::CheckpointsLag() const {
  if (!plan_.stateful()) return false;
  const auto interval = static_cast<std::uint64_t>(plan_.checkpoint_interval_us / plan_.batch_interval_us);
  return last_batch_ - checkpointed() >= std::max<std::uint64_t>(limits_.retained_batches_max, 3 * interval);
}

void JobMaster::MaybeCheckpoint() {
  // Of a batch that is planned the state may be saved as long as no later one is. So that a stopped job can go on
  // exactly here; and when no batch may follow before there is a checkpoint.
  const bool last = batches_.pending() == 0 && checkpoints_.under_way() == 0;
  const bool ends = OnlyDrains() && !cut_ && draining_.empty();
  const bool wanted = ends || (state_ == JobState::kRunning && CheckpointsLag());
  if (plan_.stateful() && last && wanted && last_batch_ > checkpointed()) {
    checkpoints_.Begin(last_batch_);
    for (const std::string& runner : runners_.up()) WorkFor(runner).checkpoint = last_batch_;
  }
  if (std::optional<Checkpoint> complete = checkpoints_.TakeComplete(committed_))
    actions_->push_back(AppendCheckpoint{*std::move(complete)});
}

void JobMaster::On(const StateReported& event) {
  for (const auto& [task, files] : event.report.chains) {
    // One that has had the partition before, lost it and got it back stands further back again than what it has saved.
    const bool stale = event.report.version < route_.TaskVersion(task);
    if (route_.OwnerOf(task) == event.runner && !stale) checkpoints_.Report({event.report.batch, {{task, files}}, 0});
  }
}

void JobMaster::On(const CheckpointDurable& event) {
  if (checkpoints_.under_way() != event.batch) return;
  std::vector<std::string> garbage = checkpoints_.Settle(batches_.LightSince(limits_.retained_ranges_max));
  batches_.Release(checkpoints_.oldest().batch);
  route_.SetCheckpoint(checkpoints_.newest());
  const std::vector<std::string> up = runners_.up();
  for (const std::string& runner : up) WorkFor(runner);  // its blocks may go
  std::erase_if(garbage, [&](const std::string& name) { return !name.starts_with(job_id_ + "/"); });  // another job's
  if (!up.empty()) WorkFor(up.front()).garbage = std::move(garbage);
  if (checkpoints_.TakeLeftBehind() && state_ != JobState::kStarting) Reroute();
}

// The job goes on from an older checkpoint. Everything since is computed again, for the state alone, from what the
// sources give again: by new runners, for in the old ones all stands on the checkpoint that is given up.
void JobMaster::PassOver(const TaskFailure& failure, const std::string& where) {
  const std::uint64_t given_up = checkpointed();
  const std::string why = Concat(where, ": ", failure.error);
  for (const SourcePlan& source : plan_.sources) {
    if (source.replayable && !source.receiver) continue;
    return End(JobState::kFailed, Concat(why, ". An older checkpoint would need what ", plan_.Label(source.op),
                                         " has given since, and it gives nothing twice. Mend the store of checkpoints, "
                                         "and submit the job anew: its state begins empty"));
  }
  if (!checkpoints_.PassOver(failure.damaged, batches_.KnownSince(last_batch_))) {
    return End(JobState::kFailed, Concat(why,
                                         ". No older checkpoint is kept that does without these files. Mend the "
                                         "store of checkpoints, and submit the job anew: its state begins empty. More "
                                         "are kept with a higher driver.checkpoints_kept"));
  }
  ++passed_over_;
  actions_->push_back(PassedOver{given_up, checkpointed(), why});
  route_.SetCheckpoint(checkpoints_.newest());
  for (StopRunner& stop : runners_.RestartAll(now_)) actions_->push_back(std::move(stop));
  Reroute();
}

void JobMaster::On(const FailureReported& event) {
  const TaskFailure& failure = event.failure;
  if (failure.task.stage >= plan_.stages.size() || failure.version < route_.TaskVersion(failure.task))
    return;  // of an earlier attempt
  const bool open = cut_ && cut_->batch == failure.batch;
  // State fails to be restored outside of any batch; whoever owns it must be told to try again.
  const bool state = plan_.stages[failure.task.stage].stateful && event.runner == route_.OwnerOf(failure.task);
  if (!batches_.Contains(failure.batch) && !open && !state) return;
  if (!failure.damaged.empty() && !state) return;  // of a runner that was replaced for it
  const int attempts = batches_.CountFailure(failure.batch, failure.task);
  const std::string where = Concat(plan_.Label(failure.op), " failed in batch ", failure.batch, ", partition ",
                                   failure.task.partition, " on ", runners_.ExecutorOf(event.runner));
  // A second opinion first: it may be the runner that is bad, or its way to the store.
  const bool sure = attempts >= std::min(2, limits_.attempts_max) && !checkpoints_.awaits_journal();
  if (!failure.damaged.empty() && sure) return PassOver(failure, where);
  if (failure.permanent || (attempts >= limits_.attempts_max && failure.damaged.empty())) {
    End(JobState::kFailed,
        Concat(where, failure.permanent ? "" : Concat(" (attempt ", attempts, " of ", limits_.attempts_max, ")"), ": ",
               failure.error));
    return;
  }
  route_.MoveAway(runners_, splits_, failure.task);
  SendRouteAndWork();
}

}  // namespace millrace
