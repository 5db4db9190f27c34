#include "tests/simulation/sinks.h"

#include "common/status.h"

namespace millrace::simulation {

std::optional<std::uint64_t> Sinks::Open(const SinkKey& key, Fence fence) {
  Partition& partition = partitions_[key];
  if (fence < partition.fence && mutation_ != Mutation::kNoFence) return std::nullopt;
  partition.fence = std::max(partition.fence, fence);
  return partition.mark;
}

bool Sinks::Commit(const SinkKey& key, Fence fence, std::uint64_t batch, const Output& output) {
  Partition& partition = partitions_[key];
  if (fence < partition.fence && mutation_ != Mutation::kNoFence) return false;
  const std::string where = Concat("sink ", key.sink, " partition ", key.task.partition, ": batch ", batch);
  if (!partition.batches.empty() && batch <= partition.batches.rbegin()->first) {
    throw Violation{Concat(where, " comes after batch ", partition.batches.rbegin()->first)};
  }
  const PlannedBatch* planned = journal_.Plan(batch);
  if (planned == nullptr) throw Violation{Concat(where, " is visible and its plan is not durable")};
  const std::map<TaskKey, Output>& expected = Expected(*planned);
  const auto it = expected.find(key.task);
  if (it == expected.end()) throw Violation{Concat(where, " has no such output")};
  if (it->second != output) {
    throw Violation{
        Concat(where, " holds other records (", output.records, ") than its ranges give (", it->second.records, ")")};
  }
  partition.mark = std::max(partition.mark, batch);
  partition.batches[batch] = output;
  return true;
}

const std::map<TaskKey, Output>& Sinks::Expected(const PlannedBatch& planned) {
  auto [it, added] = expected_.try_emplace({planned.batch, RangesHash(planned.ranges)});
  if (added) {
    States states = StatesBefore(planned.batch);
    it->second = ExpectedOutputs(plan_, planned.ranges, states);
  }
  return it->second;
}

// Every batch of a job with state is in the journal, so the oracle lives through all of them.
const States& Sinks::StatesBefore(std::uint64_t batch) {
  static const States kNone;
  if (!plan_.stateful() || batch <= 1) return kNone;
  const auto known = states_.find(batch - 1);
  if (known != states_.end()) return known->second;
  States states = StatesBefore(batch - 1);
  const PlannedBatch* planned = journal_.Plan(batch - 1);
  if (planned == nullptr) throw Violation{Concat("batch ", batch, " has effects, batch ", batch - 1, " no plan")};
  ExpectedOutputs(plan_, planned->ranges, states);
  return states_[batch - 1] = std::move(states);
}

void Sinks::CheckComplete(std::uint64_t batch) {
  for (auto it = journal_.plans().upper_bound(checked_); it != journal_.plans().end() && it->first <= batch; ++it) {
    for (const auto& [task, output] : Expected(it->second)) {
      for (const std::uint32_t sink : plan_.stages[task.stage].sinks) {
        const auto& batches = partitions_[{sink, task}].batches;
        const auto found = batches.find(it->first);
        const std::string where =
            Concat("batch ", it->first, " is committed, but sink ", sink, " partition ", task.partition);
        if (found == batches.end()) throw Violation{Concat(where, " lacks it")};
        if (found->second != output) throw Violation{Concat(where, " holds what another plan gave")};
      }
    }
    expected_.erase(expected_.begin(), expected_.upper_bound({it->first, UINT64_MAX}));
  }
  checked_ = std::max(checked_, batch);
}

std::uint64_t Sinks::Total(std::uint32_t sink) const {
  std::uint64_t total = 0;
  for (const auto& [key, partition] : partitions_) {
    if (key.sink != sink) continue;
    for (const auto& [batch, output] : partition.batches) total += output.records;
  }
  return total;
}

}  // namespace millrace::simulation
