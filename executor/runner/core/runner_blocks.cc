// The part of the runner's core that follows blocks: from the task that made one to the task that waits for it.
#include "executor/runner/core/runner_core.h"

namespace millrace::runner {

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
