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

CheckpointLedger::CheckpointLedger(const JobPlan& plan, std::size_t kept)
    : interval_batches_(
          std::max<std::uint64_t>(1, static_cast<std::uint64_t>(plan.checkpoint_interval_us / plan.batch_interval_us))),
      kept_(kept) {
  MR_CHECK(kept_ > 0);
  for (const StagePlan& stage : plan.stages) {
    for (std::uint32_t p = 0; stage.stateful && p < stage.partitions; ++p) partitions_.insert({stage.id, p});
  }
}

void CheckpointLedger::Restore(const Checkpoint& newest, const std::vector<Checkpoint>& before) {
  newest_ = newest;
  before_ = before;
  if (before_.size() >= kept_) before_.resize(kept_ - 1);
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

std::vector<std::string> CheckpointLedger::Settle(std::uint64_t since) {
  MR_CHECK(under_way_ && appended_);
  std::vector<Checkpoint> dropped = std::exchange(passed_over_, {});
  before_.insert(before_.begin(), std::move(newest_));
  newest_ = *std::move(under_way_);
  under_way_.reset();
  appended_ = false;
  while (before_.size() >= kept_ || (before_.size() > 1 && before_.back().batch < since)) {
    dropped.push_back(std::move(before_.back()));
    before_.pop_back();
  }
  std::set<std::string> needed;
  AddNames(newest_, needed);
  for (const Checkpoint& checkpoint : before_) AddNames(checkpoint, needed);
  std::set<std::string> old;
  for (const Checkpoint& checkpoint : dropped) AddNames(checkpoint, old);
  std::vector<std::string> garbage;
  std::ranges::set_difference(old, needed, std::back_inserter(garbage));
  return garbage;
}

bool CheckpointLedger::PassOver(const std::vector<std::string>& damaged, std::uint64_t since) {
  MR_CHECK(!appended_);
  damaged_.insert(damaged.begin(), damaged.end());
  const auto good = std::ranges::find_if(before_, [&](const Checkpoint& checkpoint) {
    std::set<std::string> names;
    AddNames(checkpoint, names);
    return std::ranges::none_of(names, [&](const std::string& name) { return damaged_.contains(name); });
  });
  if (good == before_.end() || good->batch < since) return false;
  passed_over_.push_back(std::move(newest_));
  newest_ = std::move(*good);
  std::move(before_.begin(), good, std::back_inserter(passed_over_));
  before_.erase(before_.begin(), good + 1);
  under_way_.reset();
  return true;
}

std::set<std::string> CheckpointLedger::Files() const {
  std::set<std::string> names;
  AddNames(newest_, names);
  for (const Checkpoint& checkpoint : before_) AddNames(checkpoint, names);
  if (under_way_) AddNames(*under_way_, names);
  return names;
}

std::vector<Checkpoint> CheckpointLedger::before_appended() const {
  std::vector<Checkpoint> before = before_;
  if (!appended_ || !under_way_) return before;
  before.insert(before.begin(), newest_);
  if (before.size() >= kept_) before.resize(kept_ - 1);
  return before;
}

}  // namespace millrace
