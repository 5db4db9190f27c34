// The part of the runner's core that looks after partitions with state: restoring it, moving it from batch to batch,
// and saving it.
#include <algorithm>

#include "common/status.h"
#include "executor/runner/core/runner_core.h"

namespace millrace::runner {

void RunnerCore::GainState(TaskKey key, Partition& partition) {
  partition.state = {};
  partition.state.batch = route_.checkpoint;
  if (const auto chain = route_.state.find(key); chain != route_.state.end()) partition.state.chain = chain->second;
  Pump(key);
}

// What was lost, and what has fallen behind a checkpoint: the batches that it lacks are kept no more.
bool RunnerCore::MustRestore(TaskKey key, const Partition& partition) const {
  if (!plan_.stages[key.stage].stateful) return false;
  return partition.state.held == Held::kLost || partition.state.batch < route_.checkpoint;
}

void RunnerCore::LoseState(TaskKey key, Partition& partition) {
  partition.state.held = Held::kLost;
  actions_->push_back(DropState{key});
}

// One thing at a time: restore, save when it is due, compute the next batch.
void RunnerCore::PumpState(TaskKey key, Partition& partition) {
  PartitionState& state = partition.state;
  if (state.held == Held::kRestoring || state.held == Held::kLost) return;
  if (state.held == Held::kNothing) {
    state.held = Held::kRestoring;
    state.restoring = partition.running = ++next_attempt_;
    attempts_[next_attempt_] = {key, 0};
    actions_->push_back(RestoreState{next_attempt_, key, state.chain});
    return;
  }
  if (state.batch == checkpoint_ && state.taken != checkpoint_) {
    state.taken = checkpoint_;
    state.saved.reset();
    state.saving = partition.running = ++next_attempt_;
    attempts_[next_attempt_] = {key, 0};
    actions_->push_back(TakeState{next_attempt_, key, checkpoint_});
    return;
  }
  const auto next = partition.tasks.find(state.batch + 1);
  if (next == partition.tasks.end()) return;
  Task& task = next->second;
  if (task.phase == Phase::kQueued && task.missing.empty()) StartCompute(key, partition, next->first, task);
}

void RunnerCore::On(const StateRestored& event) {
  const Found found = Find(event.attempt, true);
  if (found.partition == nullptr) return;
  PartitionState& state = found.partition->state;
  if (state.restoring == event.attempt && state.held == Held::kRestoring) state.held = Held::kReady;
  Pump(found.key);
}

void RunnerCore::On(const StateTaken& event) {
  const Found found = Find(event.attempt, true);
  if (found.partition != nullptr) Pump(found.key);
}

void RunnerCore::On(const StateSaved& event) {
  for (auto& [key, partition] : partitions_) {
    if (partition.state.saving != event.attempt || partition.state.held != Held::kReady) continue;
    partition.state.saving.reset();
    partition.state.saved = event.files;
    ReportSaved(key, partition.state);
  }
}

// Restoring, or taking a snapshot, has failed. What is restored next comes from the newest checkpoint.
void RunnerCore::StateFailed(const Found& found, const TaskFailed& event) {
  PartitionState& state = found.partition->state;
  if (state.restoring != event.attempt && state.saving != event.attempt) return;
  if (state.held != Held::kLost) GiveUpState(found.key, *found.partition, event);
}

void RunnerCore::GiveUpState(TaskKey key, Partition& partition, const TaskFailed& event) {
  LoseState(key, partition);
  actions_->push_back(ReportFailure{
      {partition.state.batch, key, route_.version, event.op, event.error, event.permanent, event.damaged}});
}

// A state that stands on files that are gone is none that could be saved ever again: the driver decides on which
// checkpoint all stand from now on.
void RunnerCore::On(const StateNotSaved& event) {
  for (auto& [key, partition] : partitions_) {
    if (partition.state.saving != event.attempt || partition.state.held != Held::kReady) continue;
    GiveUpState(key, partition, {event.attempt, plan_.stages[key.stage].root, event.error, false, event.damaged});
  }
}

// Comes again when the driver cannot know what has been reported.
void RunnerCore::TakeCheckpoint(std::uint64_t batch) {
  if (batch < checkpoint_) return;
  checkpoint_ = batch;
  for (auto& [key, partition] : partitions_) {
    if (!plan_.stages[key.stage].stateful || partition.state.held != Held::kReady) continue;
    if (partition.state.taken == batch && partition.state.saved) ReportSaved(key, partition.state);
    Pump(key);
  }
}

void RunnerCore::ReportSaved(TaskKey key, const PartitionState& state) {
  actions_->push_back(ReportState{{state.taken, {{key, *state.saved}}, route_.version}});
}

// Outputs of a committed batch are visible: of the tasks of stages that feed state nothing is left to do but what the
// state needs.
void RunnerCore::CommitKept(TaskKey key, Partition& partition, std::uint64_t before) {
  const bool reads_source = plan_.stages[key.stage].reads_source;
  bool changed = false;
  for (auto at = partition.tasks.upper_bound(before); at != partition.tasks.end() && at->first <= committed_;) {
    Task& task = at->second;
    const bool unplanned = reads_source && !task.go;
    if (task.phase != Phase::kDone && (unplanned || task.IsComputed())) {
      if (task.attempt != 0) actions_->push_back(DropTask{task.attempt});
      task.attempt = 0;
      task.phase = Phase::kDone;
      task.recommit = false;
      changed = true;
    }
    at = unplanned ? partition.tasks.erase(at) : std::next(at);
  }
  if (changed) Pump(key);
}

// Nothing of these batches will ever be asked for.
void RunnerCore::TakeFloor(std::uint64_t batch) {
  if (batch <= floor_) return;
  floor_ = batch;
  let_go_ = std::max(let_go_, batch);
  blocks_.DropThrough(batch);
  for (auto& [key, partition] : partitions_) {
    if (EndTasks(key, partition, batch)) Pump(key);
  }
  actions_->push_back(DropBlocks{batch});
}

}  // namespace millrace::runner
