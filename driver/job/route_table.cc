#include "driver/job/route_table.h"

#include <algorithm>

#include "driver/job/placement.h"

namespace millrace {
namespace {

// The next runner after `owner` in order: failures wander through all of them.
std::string NextRunner(const std::vector<std::string>& up, const std::string& owner) {
  if (up.empty()) return {};
  const auto after = std::ranges::upper_bound(up, owner);
  return after == up.end() ? up.front() : *after;
}

}  // namespace

RouteTable::RouteTable(const JobPlan& plan, std::uint64_t epoch)
    : plan_(plan), first_version_(epoch << 32), version_(first_version_) {
  for (const StagePlan& stage : plan.stages) {
    if (stage.reads_source) continue;
    for (std::uint32_t p = 0; p < stage.partitions; ++p) partitions_[{stage.id, p}];
  }
}

void RouteTable::Adopt(const std::string& runner, const Holding& holding) {
  if (holding.route_version == 0 || Knows(holding.route_version)) return;
  for (const SplitKey& key : holding.splits) {
    std::uint64_t& since = adopted_splits_[key];
    if (holding.route_version <= since) continue;
    since = holding.route_version;
    splits_[key] = runner;
  }
  for (const TaskKey key : holding.partitions) {
    const auto partition = partitions_.find(key);
    std::uint64_t& since = adopted_partitions_[key];
    if (partition == partitions_.end() || holding.route_version <= since) continue;
    since = holding.route_version;
    partition->second = runner;
  }
}

void RouteTable::Rebuild(const RunnerSet& runners, const SplitLedger& splits, const std::set<SplitKey>& in_flight,
                         const std::map<SplitKey, std::uint64_t>& draining) {
  std::map<SplitKey, std::string> owners;
  for (const SplitState* split : splits.active()) owners[split->key] = OwnerOf(split->key);
  for (const SplitKey& key : in_flight) owners.try_emplace(key, OwnerOf(key));
  std::map<SplitKey, std::string> staying;
  for (const auto& [key, from] : draining) {
    if (runners.IsUp(OwnerOf(key))) staying.insert(owners.extract(key));
  }
  const std::vector<std::string> up = runners.owners();
  for (auto& [key, owner] : owners) {
    if (const StagePlan* stage = plan_.StageOfSource(key.source)) PreferCopies(*stage, up, owner);
  }
  staying.merge(OnPreferredNodes(runners, owners));
  Balance(owners, up);
  owners.merge(staying);
  splits_ = std::move(owners);
  const std::map<TaskKey, std::string> before = partitions_;
  for (auto& [key, owner] : partitions_) PreferCopies(plan_.stages[key.stage], up, owner);
  Balance(partitions_, up);
  for (const auto& [key, owner] : partitions_) {
    if (owner != before.at(key)) moved_.insert(key);
  }
  Publish(runners, splits);
  for (const auto& [key, owner] : partitions_) {
    if (owner != before.at(key)) retried_at_[key] = version_;
  }
}

// Takes out those splits whose source names an executor for them that has a runner which may own them.
std::map<SplitKey, std::string> RouteTable::OnPreferredNodes(const RunnerSet& runners,
                                                             std::map<SplitKey, std::string>& owners) const {
  std::map<SplitKey, std::string> placed;
  const std::vector<std::string> up = runners.owners();
  for (const SourcePlan& source : plan_.sources) {
    for (const auto& [split, executor] : source.nodes) {
      const std::string runner = runners.RunnerOn(executor);
      if (runner.empty() || std::ranges::find(up, runner) == up.end()) continue;
      if (owners.erase({source.op, split}) > 0) placed[{source.op, split}] = runner;
    }
  }
  return placed;
}

// What a lost runner has made of a replicated stage is with the runner after it in the route's order.
void RouteTable::PreferCopies(const StagePlan& stage, const std::vector<std::string>& up, std::string& owner) const {
  if (!stage.replicated || !route_ || owner.empty() || std::ranges::find(up, owner) != up.end()) return;
  const auto at = std::ranges::find(route_->peers, owner, &Peer::runner);
  if (at == route_->peers.end()) return;
  const auto next = std::next(at) == route_->peers.end() ? route_->peers.begin() : std::next(at);
  if (std::ranges::find(up, next->runner) != up.end()) owner = next->runner;
}

void RouteTable::MoveAway(const RunnerSet& runners, const SplitLedger& splits, TaskKey task) {
  const StagePlan& stage = plan_.stages[task.stage];
  if (stage.reads_source) {
    for (auto& [key, owner] : splits_) {
      const SplitState* split = splits.Find(key);
      if (key.source == stage.root && split != nullptr && split->ordinal == task.partition)
        owner = NextRunner(runners.owners(), owner);
    }
  } else {
    std::string& owner = partitions_[task];
    owner = NextRunner(runners.owners(), owner);
  }
  Publish(runners, splits);
  retried_at_[task] = version_;
  moved_.insert(task);
}

void RouteTable::Publish(const RunnerSet& runners, const SplitLedger& splits) {
  auto route = std::make_shared<Route>();
  route->version = ++version_;
  std::map<std::string, std::uint32_t> index;
  for (const std::string& runner : runners.up()) {
    index[runner] = static_cast<std::uint32_t>(route->peers.size());
    route->peers.push_back({runner, runners.address(runner)});
  }
  for (const auto& [key, owner] : splits_) {
    const SplitState* split = splits.Find(key);
    if (owner.empty() || split == nullptr) continue;
    route->splits.push_back({key, split->ordinal, index.at(owner)});
  }
  for (const auto& [key, owner] : partitions_) {
    if (!owner.empty()) route->partitions.push_back({key, index.at(owner)});
  }
  route->checkpoint = checkpoint_.batch;
  route->state = checkpoint_.chains;
  route_ = std::move(route);
}

std::string RouteTable::OwnerOf(const SplitKey& key) const {
  const auto it = splits_.find(key);
  return it == splits_.end() ? std::string() : it->second;
}

std::string RouteTable::OwnerOf(TaskKey task) const {
  const auto it = partitions_.find(task);
  return it == partitions_.end() ? std::string() : it->second;
}

bool RouteTable::OwnsAny(const std::string& runner) const {
  const auto its = [&](const auto& entry) { return entry.second == runner; };
  return std::ranges::any_of(splits_, its) || std::ranges::any_of(partitions_, its);
}

std::uint64_t RouteTable::TaskVersion(TaskKey task) const {
  const auto it = retried_at_.find(task);
  return it == retried_at_.end() ? 0 : it->second;
}

}  // namespace millrace
