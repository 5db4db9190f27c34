// The part of the runner's core that knows whom it serves: the driver's term, and the routes that say what is ours.
#include <algorithm>
#include <limits>

#include "executor/runner/core/runner_core.h"

namespace millrace::runner {
namespace {

// The runner after this one in the route's order, round and round; empty when there is no other.
std::string NextPeer(const std::vector<Peer>& peers, const std::string& self) {
  const auto at = std::ranges::find(peers, self, &Peer::runner);
  if (at == peers.end() || peers.size() < 2) return {};
  return std::next(at) == peers.end() ? peers.front().runner : std::next(at)->runner;
}

}  // namespace

// ---- terms ----

Holding RunnerCore::holding() const {
  Holding holding{route_.version, committed_, newest_go_, newest_go_hash_, {}, {}, {}, let_go_};
  for (const auto& [key, partition] : partitions_) {
    if (plan_.stages[key.stage].reads_source) {
      holding.splits.push_back(partition.split);
    } else {
      holding.partitions.push_back(key);
    }
  }
  for (const Peer& peer : route_.peers) holding.peers.push_back(peer.runner);
  return holding;
}

// A batch that was cut and not planned never happened. One without effects is in no journal, so its number may be given
// to another now: what is committed and what is not needed any more this driver tells anew.
void RunnerCore::On(const NewTerm&) {
  cut_.reset();
  DropUnplanned(std::numeric_limits<std::uint64_t>::max());
  committed_ = 0;
  floor_ = 0;
}

// ---- routes ----

void RunnerCore::On(const RouteReceived& event) {
  if (event.route.version <= route_.version) return;
  const std::map<TaskKey, std::string> before = std::move(partition_owner_);
  const std::string backup_before = backup_;
  partition_owner_.clear();
  route_ = event.route;
  backup_ = NextPeer(route_.peers, self_);

  std::map<TaskKey, SplitKey> mine;
  for (const SplitOwner& owner : route_.splits) {
    const StagePlan* stage = plan_.StageOfSource(owner.key.source);
    if (stage != nullptr && route_.peers[owner.peer].runner == self_) mine[{stage->id, owner.ordinal}] = owner.key;
  }
  for (const PartitionOwner& owner : route_.partitions) {
    const std::string& runner = route_.peers[owner.peer].runner;
    partition_owner_[owner.key] = runner;
    if (runner == self_) mine[owner.key];
  }
  for (auto it = partitions_.begin(); it != partitions_.end();) {
    if (mine.contains(it->first) && !MustRestore(it->first, it->second)) {
      ++it;
      continue;
    }
    ForgetPartition(it->first, it->second);
    it = partitions_.erase(it);
  }
  for (const auto& [key, split] : mine) {
    auto [it, gained] = partitions_.try_emplace(key);
    if (!gained) continue;
    it->second.version = route_.version;
    it->second.split = split;
    if (plan_.stages[key.stage].stateful) GainState(key, it->second);
  }
  actions_->push_back(UpdatePeers{route_.peers});

  // Reducers that moved need our blocks of every batch in flight, and so does another keeper of copies.
  std::map<std::string, std::vector<MadeBlock>> pushes;
  blocks_.ForEachProduced([&](const MadeBlock& block) {
    const StagePlan* stage = StageOfShuffle(block.key.shuffle);
    if (stage == nullptr) return;
    const std::string owner = OwnerOfBlock(block.key);
    const auto old = before.find({stage->id, block.key.reduce_partition});
    const bool moved = old == before.end() || old->second != owner;
    for (const std::string& holder : HoldersOfBlock(block.key)) {
      if (holder == owner ? moved : backup_ != backup_before) pushes[holder].push_back(block);
    }
  });
  for (auto& [runner, blocks] : pushes) actions_->push_back(PushBlocks{runner, std::move(blocks)});
  AskNewMakers();
}

void RunnerCore::ForgetPartition(TaskKey key, Partition& partition) {
  for (auto& [batch, task] : partition.tasks) {
    if (task.attempt != 0) actions_->push_back(DropTask{task.attempt});
  }
  const StagePlan& stage = plan_.stages[key.stage];
  if (stage.reads_source) {
    StopAwaiting(partition.split);
    actions_->push_back(ReleaseSplit{partition.split});
  }
  if (!stage.sinks.empty()) actions_->push_back(ReleaseSinks{key});
  if (stage.stateful) actions_->push_back(DropState{key});
}

}  // namespace millrace::runner
