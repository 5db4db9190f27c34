#include "executor/runner/core/runner_core.h"

#include <algorithm>

#include "common/status.h"

namespace millrace::runner {

RunnerCore::RunnerCore(JobPlan plan, std::string runner_id) : plan_(std::move(plan)), self_(std::move(runner_id)) {}

void RunnerCore::Step(const Event& event, std::vector<Action>* actions) {
  actions_ = actions;
  std::visit([this](const auto& e) { On(e); }, event);
  actions_ = nullptr;
}

std::size_t RunnerCore::tasks() const {
  std::size_t n = 0;
  for (const auto& [key, partition] : partitions_) n += partition.tasks.size();
  return n;
}

void RunnerCore::On(const PeerReconnected& event) {
  PushBlocks push{event.runner, {}};
  blocks_.ForEachProduced([&](const MadeBlock& block) {
    if (HoldersOfBlock(block.key).contains(event.runner)) push.blocks.push_back(block);
  });
  if (!push.blocks.empty()) actions_->push_back(std::move(push));
}

// ---- work ----

void RunnerCore::On(const WorkReceived& event) {
  TakeCommitted(event.work.committed);
  TakeFloor(event.work.checkpointed.value_or(event.work.committed));
  if (floor_ < committed_) actions_->push_back(KeepBlocksForRecovery{committed_});
  if (event.work.checkpoint != 0) TakeCheckpoint(event.work.checkpoint);
  if (!event.work.garbage.empty()) actions_->push_back(DeleteState{event.work.garbage});
  for (const Go& go : event.work.go) TakeGo(go);
  if (event.work.cut.batch != 0) TakeCut(event.work.cut);
}

void RunnerCore::TakeCommitted(std::uint64_t batch) {
  if (batch <= committed_) return;
  const std::uint64_t before = std::exchange(committed_, batch);
  for (auto& [key, partition] : partitions_) {
    if (plan_.stages[key.stage].kept) {
      CommitKept(key, partition, before);
      continue;
    }
    if (EndTasks(key, partition, batch)) Pump(key);
  }
}

// Nobody will ask for these tasks again, nor a source for what they have read. True when later tasks may have waited
// behind one of them.
bool RunnerCore::EndTasks(TaskKey key, Partition& partition, std::uint64_t through) {
  bool unfinished = false;
  std::optional<std::string> read;
  while (!partition.tasks.empty() && partition.tasks.begin()->first <= through) {
    Task& task = partition.tasks.begin()->second;
    unfinished = unfinished || task.phase != Phase::kDone;
    if (task.attempt != 0) actions_->push_back(DropTask{task.attempt});
    if (task.go && task.range) read = std::move(task.range->end);
    partition.tasks.erase(partition.tasks.begin());
  }
  if (read && plan_.stages[key.stage].reads_source)
    actions_->push_back(ForgetRecords{partition.split, *std::move(read)});
  return unfinished;
}

void RunnerCore::TakeCut(const Cut& cut) {
  if (cut.batch <= committed_ || (cut_ && cut_->batch > cut.batch)) return;
  if (!cut_ || cut_->batch < cut.batch) {
    cut_.emplace();
    cut_->batch = cut.batch;
    cut_->batch_time_us = cut.batch_time_us;
    for (const CutSplit& split : cut.splits) cut_->splits[split.key] = split;
    if (cut.after_us == 0) {
      BeginCut();
    } else {
      actions_->push_back(ArmCut{cut.batch, cut.after_us, Announced(cut)});
    }
    return;
  }
  // The same cut again: splits that are new to us join, one that failed is tried again, what we have reported is
  // reported again.
  for (const CutSplit& split : cut.splits) {
    if (!cut_->splits.contains(split.key)) {
      cut_->splits[split.key] = split;
      continue;
    }
    const StagePlan* stage = plan_.StageOfSource(split.key.source);
    const auto partition = stage == nullptr ? partitions_.end() : partitions_.find({stage->id, split.ordinal});
    if (partition == partitions_.end()) continue;
    const auto task = partition->second.tasks.find(cut.batch);
    if (task != partition->second.tasks.end() && task->second.phase == Phase::kFailed && !task->second.range) {
      partition->second.tasks.erase(task);
    }
    for (const Range& range : cut_->ranges) {
      if (range.key == split.key) actions_->push_back(ReportRanges{{cut_->batch, {range}}});
    }
  }
  if (cut_->due) BeginCut();
}

std::vector<CloseRange> RunnerCore::Announced(const Cut& cut) const {
  std::vector<CloseRange> announced;
  for (const CutSplit& split : cut.splits) {
    const StagePlan* stage = plan_.StageOfSource(split.key.source);
    const auto owned = stage == nullptr ? partitions_.end() : partitions_.find({stage->id, split.ordinal});
    if (owned == partitions_.end() || owned->second.tasks.contains(cut.batch)) continue;
    const TaskRef ref{0, owned->first, cut.batch, cut.batch_time_us, owned->second.version};
    announced.push_back({ref, split.key, split.start, split.max_records});
  }
  return announced;
}

void RunnerCore::On(const CutDue& event) {
  if (cut_ && cut_->batch == event.batch && !cut_->due) BeginCut();
}

void RunnerCore::BeginCut() {
  cut_->due = true;
  std::vector<TaskKey> begun;
  for (const auto& [key, split] : cut_->splits) {
    const StagePlan* stage = plan_.StageOfSource(key.source);
    if (stage == nullptr) continue;
    const TaskKey task_key{stage->id, split.ordinal};
    const auto it = partitions_.find(task_key);
    if (it == partitions_.end()) continue;  // not ours under the newest route: its owner has been asked
    if (std::ranges::find(cut_->ranges, key, &Range::key) != cut_->ranges.end())
      continue;  // closed before, and reported
    if (it->second.tasks.contains(cut_->batch)) continue;
    Task& task = Open(it->second, cut_->batch);
    task.batch_time_us = cut_->batch_time_us;
    task.start = split.start;
    task.max_records = split.max_records;
    cut_->awaited.insert(key);
    begun.push_back(task_key);
  }
  for (const TaskKey key : begun) Pump(key);
}

void RunnerCore::ReportClosed(const Range& range) {
  cut_->ranges.push_back(range);
  StopAwaiting(range.key);
}

// The ranges of a cut are one message, sent when the last awaited one is there.
void RunnerCore::StopAwaiting(const SplitKey& key) {
  if (!cut_ || cut_->awaited.erase(key) == 0 || !cut_->awaited.empty() || cut_->ranges.empty()) return;
  actions_->push_back(ReportRanges{{cut_->batch, cut_->ranges}});
}

void RunnerCore::TakeGo(const Go& go) {
  if (go.batch >= newest_go_) {
    newest_go_ = go.batch;
    newest_go_hash_ = go.ranges_hash;
  }
  if (go.batch <= floor_) return;
  const std::vector<bool> runs = RunningStages(plan_, go.ranges);
  for (const StagePlan& stage : plan_.stages) {
    if (!runs[stage.id] || (go.batch <= committed_ && !stage.kept)) continue;
    if (stage.reads_source) {
      for (const Range& range : go.ranges) {
        if (range.key.source == stage.root) TakeGoForSplit(go, stage, range);
      }
      continue;
    }
    const std::vector<NeededBlock> needed = NeededBlocks(plan_, stage, go);
    for (std::uint32_t p = 0; p < stage.partitions; ++p) TakeGoForPartition(go, stage, p, needed);
  }
  DropUnplanned(go.batch);
  MaybeReportDone(go.batch);
}

// Gos come in batch order, so a source task up to this batch that no Go has named never will be: its range is not in
// the plan.
void RunnerCore::DropUnplanned(std::uint64_t through) {
  for (auto& [key, partition] : partitions_) {
    if (!plan_.stages[key.stage].reads_source) continue;
    const std::size_t erased = std::erase_if(partition.tasks, [&](auto& entry) {
      if (entry.first > through || entry.second.go) return false;
      if (entry.second.attempt != 0) actions_->push_back(DropTask{entry.second.attempt});
      return true;
    });
    if (erased > 0) Pump(key);
  }
}

void RunnerCore::TakeGoForSplit(const Go& go, const StagePlan& stage, const Range& range) {
  const TaskKey key{stage.id, range.ordinal};
  const auto it = partitions_.find(key);
  if (it == partitions_.end()) return;
  Partition& partition = it->second;
  if (!RangeRuns(stage, range)) return;
  Task& task = partition.tasks[go.batch];
  const bool same = task.range && task.range->start == range.start && task.range->end == range.end;
  task.go = true;
  task.batch_time_us = go.batch_time_us;
  if (same && MayRetry(task) && task.recommit) {
    task.phase = Phase::kComputed;
  } else if (!same ||
             MayRetry(task)) {  // nothing, or another range, was closed here, or it failed: read what the plan says
    Restart(task);
    Open(partition, go.batch).range = range;
    task.read_again = true;
    TakeCopies(key, task, go.batch, RangeHash(range));
  }
  Pump(key);
}

void RunnerCore::TakeGoForPartition(const Go& go, const StagePlan& stage, std::uint32_t p,
                                    const std::vector<NeededBlock>& needed) {
  const TaskKey key{stage.id, p};
  const auto it = partitions_.find(key);
  if (it == partitions_.end()) return;
  if (stage.stateful && go.batch <= it->second.state.batch && !it->second.tasks.contains(go.batch)) return;
  const bool added = !it->second.tasks.contains(go.batch);
  Task& task = it->second.tasks[go.batch];
  if (!added && !MayRetry(task)) return;
  if (task.recommit) {
    task.phase = Phase::kComputed;
    task.recommit = false;
    return Pump(key);
  }
  if (!added) Restart(task);
  Open(it->second, go.batch);
  task.go = true;
  task.batch_time_us = go.batch_time_us;
  task.input_hash = go.ranges_hash;
  task.needed = needed;
  if (TakeCopies(key, task, go.batch, go.ranges_hash)) return Pump(key);
  FindMissing(stage, p, go.batch, task);
  Pump(key);
}

// Whether a task that failed may be tried again: the driver has heard of it.
bool RunnerCore::MayRetry(const Task& task) const {
  return task.phase == Phase::kFailed && route_.version > task.failed_version;
}

// A task of this batch waits to be computed.
RunnerCore::Task& RunnerCore::Open(Partition& partition, std::uint64_t batch) {
  partition.open_from = std::min(partition.open_from, batch);
  return partition.tasks[batch];
}

void RunnerCore::Restart(Task& task) {
  if (task.attempt != 0) actions_->push_back(DropTask{task.attempt});
  task.attempt = 0;
  task.recommit = false;
  task.phase = Phase::kQueued;
}

// ---- computing ----

TaskRef RunnerCore::Ref(TaskKey key, const Partition& partition, std::uint64_t batch, const Task& task) const {
  return {task.attempt, key, batch, task.batch_time_us, partition.version};
}

void RunnerCore::Pump(TaskKey key) {
  const auto it = partitions_.find(key);
  if (it == partitions_.end()) return;
  Partition& partition = it->second;
  const StagePlan& stage = plan_.stages[key.stage];
  if (!partition.running) stage.stateful ? PumpState(key, partition) : PumpCompute(key, partition);
  if (partition.committing || stage.sinks.empty()) return;
  for (auto at = partition.tasks.upper_bound(committed_); at != partition.tasks.end(); ++at) {
    auto& [batch, task] = *at;
    if (task.phase == Phase::kDone) continue;
    if (task.phase == Phase::kComputed && task.go) {
      task.phase = Phase::kCommitting;
      partition.committing = task.attempt;
      attempts_[task.attempt] = {key, batch};
      actions_->push_back(CommitTask{Ref(key, partition, batch, task)});
    }
    break;
  }
}

// In batch order: a task that cannot start holds back those after it.
void RunnerCore::PumpCompute(TaskKey key, Partition& partition) {
  for (auto at = partition.tasks.lower_bound(partition.open_from); at != partition.tasks.end(); ++at) {
    auto& [batch, task] = *at;
    if (task.IsComputed()) {
      partition.open_from = batch + 1;
      continue;
    }
    if (task.phase == Phase::kQueued && task.missing.empty()) StartCompute(key, partition, batch, task);
    return;
  }
}

void RunnerCore::StartCompute(TaskKey key, Partition& partition, std::uint64_t batch, Task& task) {
  task.attempt = ++next_attempt_;
  partition.running = task.attempt;
  attempts_[task.attempt] = {key, batch};
  const StagePlan& stage = plan_.stages[key.stage];
  const TaskRef ref = Ref(key, partition, batch, task);
  if (!stage.reads_source) {
    task.phase = Phase::kComputing;
    RunReduce run{ref, {}, task.input_hash};
    for (const NeededBlock& block : task.needed) {
      run.inputs.push_back({{batch, stage.root, block.stage, block.map_partition, key.partition}, block.input_hash});
    }
    actions_->push_back(std::move(run));
  } else if (task.read_again) {
    task.phase = Phase::kComputing;
    actions_->push_back(ReadRange{ref, *task.range});
  } else {
    task.phase = Phase::kClosing;
    actions_->push_back(CloseRange{ref, partition.split, task.start, task.max_records});
  }
}

RunnerCore::Found RunnerCore::Find(AttemptId attempt, bool frees_worker) {
  Found found;
  const auto it = attempts_.find(attempt);
  if (it == attempts_.end()) return found;
  const auto [key, batch] = it->second;
  found.key = key;
  const auto partition = partitions_.find(found.key);
  if (frees_worker) attempts_.erase(it);
  if (partition == partitions_.end()) return found;
  found.partition = &partition->second;
  if (frees_worker && found.partition->running == attempt) found.partition->running.reset();
  if (frees_worker && found.partition->committing == attempt) found.partition->committing.reset();
  const auto task = found.partition->tasks.find(batch);
  if (task != found.partition->tasks.end() && task->second.attempt == attempt) {
    found.batch = batch;
    found.task = &task->second;
  }
  return found;
}

void RunnerCore::On(const RangeClosed& event) {
  const Found found = Find(event.attempt, false);
  if (found.task == nullptr) return;
  Task& task = *found.task;
  task.range = Range{found.partition->split, found.key.partition, task.start, event.end, event.records, event.finished};
  task.phase = Phase::kComputing;
  if (cut_ && cut_->batch == found.batch) ReportClosed(*task.range);
}

void RunnerCore::On(const TaskComputed& event) {
  const Found found = Find(event.attempt, true);
  if (found.task != nullptr) {
    const StagePlan& stage = plan_.stages[found.key.stage];
    if (stage.reads_source && !RangeRuns(stage, *found.task->range)) {
      actions_->push_back(DropTask{event.attempt});
      found.partition->tasks.erase(found.batch);  // an empty range is no task, and nobody waits for its blocks
    } else {
      found.task->phase = Phase::kComputed;
      if (stage.stateful) found.partition->state.batch = found.batch;
      if (found.batch <= committed_) {  // computed for the state alone
        found.task->phase = Phase::kDone;
        actions_->push_back(DropTask{event.attempt});
      }
      TakeMade(event.blocks);
    }
    ReportCounts(found, event);
  } else {
    actions_->push_back(DropTask{event.attempt});
  }
  if (found.partition != nullptr) Pump(found.key);
}

void RunnerCore::ReportCounts(const Found& found, const TaskComputed& event) {
  if (event.lost_records == 0 && event.counts.empty()) return;
  BatchDone done{found.batch, {}, event.lost_records, {}};
  if (!event.counts.empty()) done.counts[found.key] = event.counts;
  actions_->push_back(ReportDone{std::move(done)});
}

void RunnerCore::On(const TaskCommitted& event) {
  const Found found = Find(event.attempt, true);
  if (found.task != nullptr) {
    found.task->phase = Phase::kDone;
    actions_->push_back(DropTask{event.attempt});
    MaybeReportDone(found.batch);
  }
  if (found.partition != nullptr) Pump(found.key);
}

void RunnerCore::On(const TaskFailed& event) {
  const Found found = Find(event.attempt, true);
  if (found.partition == nullptr) return;
  if (found.task == nullptr) {
    StateFailed(found, event);
  } else if (const Task& task = *found.task; task.range && !RangeRuns(plan_.stages[found.key.stage], *task.range)) {
    // Reported as empty and nobody waits for more: it must not hold back the next.
    actions_->push_back(DropTask{event.attempt});
    found.partition->tasks.erase(found.batch);
  } else {
    FailTask(found, event);
  }
  Pump(found.key);
}

void RunnerCore::FailTask(const Found& found, const TaskFailed& event) {
  Task& task = *found.task;
  const bool was_closing = task.phase == Phase::kClosing;
  task.recommit = task.phase == Phase::kCommitting;
  task.phase = Phase::kFailed;
  task.failed_version = route_.version;
  if (!task.recommit) {
    actions_->push_back(DropTask{event.attempt});
    if (plan_.stages[found.key.stage].stateful) LoseState(found.key, *found.partition);
  }
  actions_->push_back(ReportFailure{{found.batch, found.key, route_.version, event.op, event.error, event.permanent}});
  if (was_closing && cut_ && cut_->batch == found.batch) StopAwaiting(found.partition->split);
}

void RunnerCore::MaybeReportDone(std::uint64_t batch) {
  if (batch <= committed_) return;
  BatchDone done{batch, {}, 0, {}};
  for (const auto& [key, partition] : partitions_) {
    if (plan_.stages[key.stage].sinks.empty()) continue;
    const auto it = partition.tasks.find(batch);
    if (it == partition.tasks.end() || !it->second.go) continue;
    if (it->second.phase != Phase::kDone) return;  // one report for all of them
    done.tasks.push_back(key);
  }
  if (!done.tasks.empty()) actions_->push_back(ReportDone{std::move(done)});
}

}  // namespace millrace::runner
