#include "driver/job/checkpoint_ledger.h"

#include <algorithm>

#include "common/status.h"

namespace millrace {
namespace {

void AddNames(const Checkpoint& checkpoint, std::set<std::string>& names) {
  for (const auto& [task, files] : checkpoint.chains) {
    for (const StateFile& file : files) names.insert(file.name);
  }
}

}  // namespace

CheckpointLedger::CheckpointLedger(const JobPlan& plan)
    : interval_batches_(std::max<std::uint64_t>(
          1, static_cast<std::uint64_t>(plan.checkpoint_interval_us / plan.batch_interval_us))) {
  for (const StagePlan& stage : plan.stages) {
    for (std::uint32_t p = 0; stage.stateful && p < stage.partitions; ++p) partitions_.insert({stage.id, p});
  }
}

void CheckpointLedger::Restore(const Checkpoint& newest, const Checkpoint& before) {
  newest_ = newest;
  before_ = before;
}

bool CheckpointLedger::Due(std::uint64_t batch) const {
  return !partitions_.empty() && !under_way_ && batch >= newest_.batch + interval_batches_;
}

void CheckpointLedger::Begin(std::uint64_t batch) {
  MR_CHECK(!under_way_ && batch > newest_.batch);
  under_way_ = Checkpoint{batch, {}};
  appended_ = false;
}

void CheckpointLedger::Report(const StateReport& report) {
  if (!under_way_ || appended_ || report.batch != under_way_->batch) return;
  for (const auto& [task, files] : report.chains) {
    if (partitions_.contains(task)) under_way_->chains[task] = files;
  }
}

void CheckpointLedger::Forget(TaskKey task) {
  if (!under_way_) return;
  if (appended_) {
    left_behind_ = left_behind_ || partitions_.contains(task);
  } else {
    under_way_->chains.erase(task);
  }
}

std::optional<Checkpoint> CheckpointLedger::TakeComplete(std::uint64_t committed) {
  if (!under_way_ || appended_ || under_way_->batch > committed || under_way_->chains.size() < partitions_.size())
    return std::nullopt;
  appended_ = true;
  return under_way_;
}

std::vector<std::string> CheckpointLedger::Settle() {
  MR_CHECK(under_way_ && appended_);
  std::set<std::string> needed;
  AddNames(*under_way_, needed);
  AddNames(newest_, needed);
  std::set<std::string> old;
  AddNames(before_, old);
  before_ = std::move(newest_);
  newest_ = *std::move(under_way_);
  under_way_.reset();
  std::vector<std::string> garbage;
  std::ranges::set_difference(old, needed, std::back_inserter(garbage));
  return garbage;
}

}  // namespace millrace
