#include "driver/job/batch_ledger.h"

#include <algorithm>

#include "common/status.h"

namespace millrace {
namespace {
constexpr std::size_t kHistory = 1000;
}

void BatchLedger::Add(PlannedBatch planned, std::int64_t cut_us, bool effects) {
  MR_CHECK(!pending_.contains(planned.batch));
  Pending& p = pending_[planned.batch];
  for (const TaskKey task : SinkTasks(plan_, planned.ranges)) p.waiting.insert(task);
  p.effects = effects;
  p.durable = !effects;
  p.figures = {planned.batch, planned.batch_time_us, cut_us, 0, 0, 0};
  for (const Range& range : planned.ranges) p.figures.records += range.records;
  p.planned = std::move(planned);
}

void BatchLedger::MarkDurable(std::uint64_t batch) {
  if (auto it = pending_.find(batch); it != pending_.end()) it->second.durable = true;
}

void BatchLedger::MarkDone(std::uint64_t batch, const std::vector<TaskKey>& tasks) {
  const auto it = pending_.find(batch);
  if (it == pending_.end()) return;
  for (const TaskKey task : tasks) it->second.waiting.erase(task);
}

void BatchLedger::MarkAllDone(std::uint64_t through) {
  for (auto it = pending_.begin(); it != pending_.end() && it->first <= through; ++it) it->second.waiting.clear();
}

void BatchLedger::AddCounts(std::uint64_t batch, const std::map<TaskKey, Counts>& counts) {
  const auto it = pending_.find(batch);
  if (it == pending_.end()) return;
  for (const auto& [task, counted] : counts) it->second.counts[task] = counted;
}

int BatchLedger::CountFailure(std::uint64_t batch, TaskKey task) {
  ++retries_;
  if (auto it = pending_.find(batch); it != pending_.end()) ++it->second.figures.retries;
  return ++failures_[{batch, task}];
}

std::vector<BatchLedger::Committed> BatchLedger::TakeCommitted(std::int64_t now) {
  std::vector<Committed> committed;
  while (!pending_.empty()) {
    auto it = pending_.begin();
    Pending& p = it->second;
    if (!p.durable || !p.waiting.empty()) break;
    p.figures.committed_us = now;
    if (now - p.figures.due_us > plan_.batch_interval_us) ++late_;
    history_.push_front(p.figures);
    if (history_.size() > kHistory) history_.pop_back();
    if (plan_.stateful()) {
      retained_[it->first] = p.planned;
    } else {
      failures_.erase(failures_.begin(), failures_.upper_bound({it->first, TaskKey{UINT32_MAX, UINT32_MAX}}));
    }
    Counts counts;
    for (const auto& [task, counted] : p.counts) {
      for (const auto& [counter, value] : counted) counts[counter] += value;
    }
    committed.push_back({std::move(p.planned), p.effects, std::move(counts)});
    pending_.erase(it);
  }
  return committed;
}

void BatchLedger::Release(std::uint64_t through) {
  retained_.erase(retained_.begin(), retained_.upper_bound(through));
  failures_.erase(failures_.begin(), failures_.upper_bound({through, TaskKey{UINT32_MAX, UINT32_MAX}}));
}

Go BatchLedger::MakeGo(const PlannedBatch& planned) {
  return {planned.batch, planned.batch_time_us, planned.ranges, RangesHash(planned.ranges)};
}

bool BatchLedger::AwaitsJournal() const {
  return std::ranges::any_of(pending_, [](const auto& entry) { return !entry.second.durable; });
}

std::vector<Go> BatchLedger::DurableGos(std::uint64_t after) const {
  std::vector<Go> gos;
  for (auto it = retained_.upper_bound(after); it != retained_.end(); ++it) gos.push_back(MakeGo(it->second));
  for (const auto& [batch, p] : pending_) {
    if (p.durable && batch > after) gos.push_back(MakeGo(p.planned));
  }
  return gos;
}

Go BatchLedger::GoOf(std::uint64_t batch) const {
  const auto kept = retained_.find(batch);
  return MakeGo(kept == retained_.end() ? pending_.at(batch).planned : kept->second);
}

std::vector<PlannedBatch> BatchLedger::pending_batches() const {
  std::vector<PlannedBatch> batches;
  for (const auto& [batch, planned] : retained_) batches.push_back(planned);
  for (const auto& [batch, p] : pending_) batches.push_back(p.planned);
  return batches;
}

std::set<SplitKey> BatchLedger::pending_splits(std::uint64_t after) const {
  std::set<SplitKey> keys;
  const auto add = [&](const PlannedBatch& planned) {
    for (const Range& range : planned.ranges) keys.insert(range.key);
  };
  for (auto it = retained_.upper_bound(after); it != retained_.end(); ++it) add(it->second);
  for (auto it = pending_.upper_bound(after); it != pending_.end(); ++it) add(it->second.planned);
  return keys;
}

std::uint64_t BatchLedger::KnownSince(std::uint64_t newest) const {
  while (newest > 0 && Contains(newest)) --newest;
  return newest;
}

std::uint64_t BatchLedger::LightSince(std::size_t ranges_max) const {
  std::size_t ranges = 0;
  for (auto it = retained_.rbegin(); it != retained_.rend(); ++it) {
    ranges += it->second.ranges.size() + 1;
    if (ranges > ranges_max) return it->first;
  }
  return 0;
}

std::vector<BatchFigures> BatchLedger::figures() const {
  std::vector<BatchFigures> figures;
  for (auto it = pending_.rbegin(); it != pending_.rend(); ++it) figures.push_back(it->second.figures);
  figures.insert(figures.end(), history_.begin(), history_.end());
  return figures;
}

}  // namespace millrace
