// The part of the runner's core that follows blocks: from the task that made one to the task that waits for it.
#include "executor/runner/core/runner_core.h"

namespace millrace::runner {

void RunnerCore::On(const BlockReceived& event) {
  if (event.key.batch > floor_) TakeBlock({event.key, event.input_hash}, false);
}

void RunnerCore::TakeMade(const std::vector<MadeBlock>& blocks) {
  std::map<std::string, std::vector<MadeBlock>> pushes;
  for (const MadeBlock& block : blocks) {
    if (const std::string owner = OwnerOfBlock(block.key); !owner.empty() && owner != self_)
      pushes[owner].push_back(block);
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

}  // namespace millrace::runner
