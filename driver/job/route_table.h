// Who owns each split and each reduce partition, and the version of that knowledge. Every change of an owner is a new
// version; the runners refuse older ones.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/dataflow/job_plan.h"
#include "driver/job/runner_set.h"
#include "driver/job/split_ledger.h"

namespace millrace {

class RouteTable {
 public:
  // Versions grow from one term of drivers to the next: those of a runner that is adopted are smaller than ours.
  RouteTable(const JobPlan& plan, std::uint64_t epoch);

  // What a runner has from the term before stays with it, if no other runner has had it later.
  void Adopt(const std::string& runner, const Holding& holding);

  // Places every active split, every finished one that a batch in flight still reads, and every partition on the
  // runners that are up, moving as little as possible. Splits that are `draining` stay where they are: their owner
  // holds what nobody else can get.
  void Rebuild(const RunnerSet& runners, const SplitLedger& splits, const std::set<SplitKey>& in_flight,
               const std::map<SplitKey, std::uint64_t>& draining);
  // State for those who get a partition from now on.
  void SetCheckpoint(const Checkpoint& checkpoint) { checkpoint_ = checkpoint; }
  // Partitions that have got another owner, or were told to try again, since the last call.
  std::set<TaskKey> TakeMoved() { return std::exchange(moved_, {}); }
  // Gives one task's partition to another runner if there is one; a new version in any case, which makes its owner try
  // again.
  void MoveAway(const RunnerSet& runners, const SplitLedger& splits, TaskKey task);

  std::uint64_t version() const { return version_; }
  // Whether this version is of our own term.
  bool Knows(std::uint64_t version) const { return version > first_version_; }
  std::shared_ptr<const Route> route() const { return route_; }
  // Empty when it has none.
  std::string OwnerOf(const SplitKey& key) const;
  std::string OwnerOf(TaskKey task) const;
  bool OwnsAny(const std::string& runner) const;
  // The version under which the task's partition got its present owner or was last told to try again.
  std::uint64_t TaskVersion(TaskKey task) const;

 private:
  void Publish(const RunnerSet& runners, const SplitLedger& splits);
  std::map<SplitKey, std::string> OnPreferredNodes(const RunnerSet& runners,
                                                   std::map<SplitKey, std::string>& owners) const;
  void PreferCopies(const StagePlan& stage, const std::vector<std::string>& up, std::string& owner) const;

  const JobPlan& plan_;  // outlives this
  const std::uint64_t first_version_;
  std::uint64_t version_;
  std::map<SplitKey, std::string> splits_;
  std::map<TaskKey, std::string> partitions_;
  std::map<TaskKey, std::uint64_t> retried_at_;
  std::map<SplitKey, std::uint64_t> adopted_splits_;  // by the version that the runner has had it under
  std::map<TaskKey, std::uint64_t> adopted_partitions_;
  Checkpoint checkpoint_;
  std::set<TaskKey> moved_;
  std::shared_ptr<const Route> route_;
};

}  // namespace millrace
