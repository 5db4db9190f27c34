#include "driver/job/split_ledger.h"

#include <algorithm>

#include "common/status.h"

namespace millrace {

SplitLedger::SplitLedger(const JobPlan& plan) {
  for (const SourcePlan& source : plan.sources) sources_[source.op];
}

void SplitLedger::Restore(const std::vector<SplitState>& splits) {
  for (const SplitState& split : splits) {
    splits_[split.key] = split;
    SourceState& source = sources_[split.key.source];
    source.next_ordinal = std::max(source.next_ordinal, split.ordinal + 1);
    source.listed = true;  // once; what has come since joins when it is found
  }
}

std::vector<SplitState> SplitLedger::Listed(const SplitReport& report) {
  const auto it = sources_.find(report.source);
  if (it == sources_.end()) return {};
  SourceState& source = it->second;
  source.problem = report.problem;
  if (!report.problem.empty()) return {};
  source.listed = true;
  source.complete = report.complete;
  std::vector<SplitState> added;
  for (const NewSplit& split : report.splits) {
    const SplitKey key{report.source, split.split};
    if (splits_.contains(key)) continue;
    const SplitState state{key, source.next_ordinal++, split.start, false};
    splits_[key] = state;
    added.push_back(state);
  }
  return added;
}

void SplitLedger::Advance(const std::vector<Range>& ranges) {
  for (const Range& range : ranges) {
    const auto it = splits_.find(range.key);
    MR_CHECK(it != splits_.end());
    MR_CHECK(it->second.position == range.start);
    it->second.position = range.end;
    it->second.finished = it->second.finished || range.finished;
  }
}

std::vector<const SplitState*> SplitLedger::active() const {
  std::vector<const SplitState*> active;
  for (const auto& [key, split] : splits_) {
    if (!split.finished) active.push_back(&split);
  }
  std::ranges::sort(active, {}, [](const SplitState* s) { return std::pair(s->key.source, s->ordinal); });
  return active;
}

const SplitState* SplitLedger::Find(const SplitKey& key) const {
  const auto it = splits_.find(key);
  return it == splits_.end() ? nullptr : &it->second;
}

std::vector<SplitState> SplitLedger::all() const {
  std::vector<SplitState> all;
  for (const auto& [key, split] : splits_) all.push_back(split);
  return all;
}

bool SplitLedger::AllListed() const {
  return std::ranges::all_of(sources_, [](const auto& entry) { return entry.second.listed; });
}

bool SplitLedger::AllFinished() const {
  return std::ranges::all_of(sources_,
                             [](const auto& entry) { return entry.second.listed && entry.second.complete; }) &&
         std::ranges::all_of(splits_, [](const auto& entry) { return entry.second.finished; });
}

const std::string& SplitLedger::problem(std::uint32_t source) const {
  static const std::string kNone;
  const auto it = sources_.find(source);
  return it == sources_.end() ? kNone : it->second.problem;
}

std::size_t SplitLedger::count(std::uint32_t source) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(splits_, [&](const auto& entry) { return entry.first.source == source; }));
}

}  // namespace millrace
