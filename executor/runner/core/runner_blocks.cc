// The part of the runner's core that follows blocks: from the task that made one to the task that waits for it.
#include "executor/runner/core/runner_core.h"

#include "common/status.h"

namespace millrace::runner {
namespace {
constexpr int kSetbacksMax = 3;  // of one task; then its partition goes elsewhere, for here the disk is bad
}  // namespace

void RunnerCore::On(const BlockReceived& event) {
  if (event.key.batch > floor_) TakeBlock({event.key, event.input_hash}, false);
}

void RunnerCore::TakeMade(const std::vector<MadeBlock>& blocks) {
  std::map<std::string, std::vector<MadeBlock>> pushes;
  for (const MadeBlock& block : blocks) {
    for (const std::string& holder : HoldersOfBlock(block.key)) pushes[holder].push_back(block);
  }
  for (auto& [runner, pushed] : pushes) actions_->push_back(PushBlocks{runner, std::move(pushed)});
  for (const MadeBlock& block : blocks) TakeBlock(block, true);
}

void RunnerCore::TakeBlock(const MadeBlock& block, bool produced) {
  const auto& [key, input_hash] = block;
  blocks_.Add(block, produced);
  const StagePlan* stage = StageOfShuffle(key.shuffle);
  if (stage == nullptr) return;
  const TaskKey reducer{stage->id, key.reduce_partition};
  const auto partition = partitions_.find(reducer);
  if (partition == partitions_.end()) return;
  const auto it = partition->second.tasks.find(key.batch);
  if (it == partition->second.tasks.end()) return;
  Task& task = it->second;
  for (const NeededBlock& needed : task.needed) {
    if (needed.stage == key.stage && needed.map_partition == key.map_partition && needed.input_hash == input_hash) {
      task.missing.erase({key.stage, key.map_partition});
    }
  }
  if (task.missing.empty()) Pump(reducer);
}

void RunnerCore::FindMissing(const StagePlan& stage, std::uint32_t partition, std::uint64_t batch, Task& task) {
  task.missing.clear();
  for (const NeededBlock& block : task.needed) {
    const BlockKey key{batch, stage.root, block.stage, block.map_partition, partition};
    if (!blocks_.Has(key, block.input_hash)) task.missing.insert({block.stage, block.map_partition});
  }
}

// ---- damage ----

// What was made here is made again, what came from a peer is asked for again; whoever needs it waits.
void RunnerCore::On(const BlocksLost& event) {
  const Found found = Find(event.attempt, true);
  std::map<std::string, std::vector<MadeBlock>> asks;
  for (const MadeBlock& block : event.blocks) blocks_.Lose(block);
  if (found.task != nullptr) {
    if (++found.task->setbacks > kSetbacksMax) {
      const std::string error = Concat("blocks that it reads were damaged ", found.task->setbacks, " times");
      FailTask(found, {event.attempt, plan_.stages[found.key.stage].root, error, false});
    } else {
      Restart(*found.task);
    }
  }
  for (const MadeBlock& block : event.blocks) {
    if (block.key.batch <= floor_) continue;
    AwaitAgain(block);
    if (MakeAgain(block)) continue;
    if (const std::string maker = MakerOfBlock(block.key); !maker.empty() && maker != self_)
      asks[maker].push_back(block);
  }
  for (auto& [runner, blocks] : asks) actions_->push_back(AskBlocks{runner, std::move(blocks)});
  if (found.partition != nullptr) Pump(found.key);
}

void RunnerCore::AwaitAgain(const MadeBlock& block) {
  const StagePlan* stage = StageOfShuffle(block.key.shuffle);
  if (stage == nullptr) return;
  const auto partition = partitions_.find({stage->id, block.key.reduce_partition});
  if (partition == partitions_.end()) return;
  const auto task = partition->second.tasks.find(block.key.batch);
  if (task == partition->second.tasks.end() || task->second.phase != Phase::kQueued) return;
  FindMissing(*stage, block.key.reduce_partition, block.key.batch, task->second);
}

// A block that was damaged here may be another's to make now: we were to make it again ourselves, or asked somebody who
// had just lost its task. The new maker may have pushed it already: that very block may be the one that was damaged.
void RunnerCore::AskNewMakers() {
  std::map<std::string, std::vector<MadeBlock>> asks;
  blocks_.ForEachLost([&](const MadeBlock& block) {
    if (const std::string maker = MakerOfBlock(block.key); !maker.empty() && maker != self_)
      asks[maker].push_back(block);
  });
  for (auto& [runner, blocks] : asks) actions_->push_back(AskBlocks{runner, std::move(blocks)});
}

// False when its task is not ours, or has another input.
bool RunnerCore::MakeAgain(const MadeBlock& block) {
  const TaskKey key{block.key.stage, block.key.map_partition};
  const auto it = partitions_.find(key);
  if (it == partitions_.end()) return false;
  Partition& partition = it->second;
  const auto at = partition.tasks.find(block.key.batch);
  if (at == partition.tasks.end()) return false;
  const StagePlan& stage = plan_.stages[key.stage];
  Task& task = at->second;
  const std::uint64_t input = stage.reads_source ? (task.range ? RangeHash(*task.range) : 0) : task.input_hash;
  if (input != block.input_hash) return false;
  if (!task.IsComputed()) return true;  // it is being made, or will be
  if (stage.stateful) {  // the state has moved on: it comes back from the checkpoint, and all batches since with it
    if (partition.state.held == Held::kLost) return true;
    LoseState(key, partition);
    const std::string error = Concat("a block of batch ", block.key.batch, " was damaged and must be made again");
    actions_->push_back(ReportFailure{{block.key.batch, key, route_.version, stage.root, error, false}});
    return true;
  }
  Restart(task);
  Open(partition, block.key.batch);
  if (stage.reads_source) {
    task.read_again = true;
  } else {
    FindMissing(stage, key.partition, block.key.batch, task);
  }
  Pump(key);
  return true;
}

const StagePlan* RunnerCore::StageOfShuffle(std::uint32_t shuffle) const {
  for (const StagePlan& stage : plan_.stages) {
    if (!stage.reads_source && stage.root == shuffle) return &stage;
  }
  return nullptr;
}

std::string RunnerCore::OwnerOfBlock(const BlockKey& key) const {
  const StagePlan* stage = StageOfShuffle(key.shuffle);
  if (stage == nullptr) return {};
  const auto it = partition_owner_.find({stage->id, key.reduce_partition});
  return it == partition_owner_.end() ? std::string() : it->second;
}

// Who owns the task that makes it.
std::string RunnerCore::MakerOfBlock(const BlockKey& key) const {
  const StagePlan& stage = plan_.stages[key.stage];
  if (!stage.reads_source) {
    const auto it = partition_owner_.find({key.stage, key.map_partition});
    return it == partition_owner_.end() ? std::string() : it->second;
  }
  for (const SplitOwner& owner : route_.splits) {
    if (owner.key.source == stage.root && owner.ordinal == key.map_partition) return route_.peers[owner.peer].runner;
  }
  return {};
}

// The other runners that must have it: its reducer's, and, of a replicated stage, the one that keeps our copies.
std::set<std::string> RunnerCore::HoldersOfBlock(const BlockKey& key) const {
  std::set<std::string> holders{OwnerOfBlock(key)};
  if (plan_.stages[key.stage].replicated) holders.insert(backup_);
  holders.erase("");
  holders.erase(self_);
  return holders;
}

// A task that came to us from a runner that has run it, and whose blocks we hold as copies, need not run. False when
// any of them is not here.
bool RunnerCore::TakeCopies(TaskKey key, Task& task, std::uint64_t batch, std::uint64_t input_hash) {
  const StagePlan& stage = plan_.stages[key.stage];
  if (!stage.replicated || task.failed_version != 0) return false;
  std::vector<MadeBlock> copies;
  for (const std::uint32_t shuffle : stage.shuffles) {
    const StagePlan* reducers = StageOfShuffle(shuffle);
    for (std::uint32_t p = 0; reducers != nullptr && p < reducers->partitions; ++p) {
      copies.push_back({{batch, shuffle, key.stage, key.partition, p}, input_hash});
      if (!blocks_.Has(copies.back().key, input_hash)) return false;
    }
  }
  task.phase = batch <= committed_ ? Phase::kDone : Phase::kComputed;
  TakeMade(copies);
  return true;
}

}  // namespace millrace::runner
