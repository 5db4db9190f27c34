#include "tests/simulation/journal.h"

#include "common/status.h"
#include "tests/simulation/mutation.h"

namespace millrace::simulation {

void Journal::Append(JournalRecord record, std::int64_t durable_at) {
  MR_CHECK(durable_at >= last_durable_at_);
  last_durable_at_ = durable_at;
  waiting_.push_back({std::move(record), durable_at});
}

void Journal::Advance(std::int64_t now) {
  while (!waiting_.empty() && waiting_.front().durable_at <= now) {
    std::visit([this](const auto& record) { Apply(record); }, waiting_.front().record);
    waiting_.pop_front();
  }
}

void Journal::Crash(Random& random) {
  for (std::uint64_t n = random.Below(waiting_.size() + 1); n > 0; --n) {
    std::visit([this](const auto& record) { Apply(record); }, waiting_.front().record);
    waiting_.pop_front();
  }
  waiting_.clear();
}

void Journal::ForgetLastPlan() {
  if (plans_.empty() || plans_.rbegin()->first <= committed_) return;
  for (const Range& range : plans_.rbegin()->second.ranges) {
    splits_[range.key].position = range.start;
    splits_[range.key].finished = false;
  }
  plans_.erase(std::prev(plans_.end()));
}

void Journal::Apply(const AppendSplits& record) {
  for (const SplitState& split : record.added) {
    for (const auto& [key, other] : splits_) {
      if (key == split.key) throw Violation{Concat("split ", key.split, " is in the journal twice")};
      if (key.source == split.key.source && other.ordinal == split.ordinal) {
        throw Violation{Concat("splits ", key.split, " and ", split.key.split, " have the ordinal ", split.ordinal)};
      }
    }
    splits_[split.key] = split;
  }
}

void Journal::Apply(const AppendPlanned& record) {
  const PlannedBatch& planned = record.planned;
  if (!plans_.empty() && planned.batch <= plans_.rbegin()->first) {
    throw Violation{Concat("batch ", planned.batch, " is planned after batch ", plans_.rbegin()->first)};
  }
  if (!plans_.empty() && planned.batch_time_us <= plans_.rbegin()->second.batch_time_us) {
    throw Violation{Concat("the time of batch ", planned.batch, " is not later than the one before")};
  }
  for (const Range& range : planned.ranges) {
    const auto split = splits_.find(range.key);
    if (split == splits_.end()) throw Violation{Concat("batch ", planned.batch, " reads the unknown split ", range.key.split)};
    SplitState& state = split->second;
    if (state.ordinal != range.ordinal) throw Violation{Concat("split ", range.key.split, " changed its ordinal")};
    if (state.finished) throw Violation{Concat("batch ", planned.batch, " reads ", range.key.split, ", which is finished")};
    if (range.start != state.position) {
      throw Violation{Concat("batch ", planned.batch, " reads ", range.key.split, " from ", range.start, ", not ", state.position)};
    }
    state.position = range.end;
    state.finished = range.finished;
  }
  plans_[planned.batch] = planned;
}

void Journal::Apply(const AppendCommitted& record) {
  if (record.batch <= committed_) throw Violation{Concat("batch ", record.batch, " is committed after batch ", committed_)};
  committed_ = record.batch;
}

JobSnapshot Journal::Restore() const {
  JobSnapshot snapshot;
  for (const auto& [key, split] : splits_) snapshot.splits.push_back(split);
  snapshot.committed = committed_;
  for (const auto& [batch, planned] : plans_) {
    snapshot.last_batch = batch;
    snapshot.last_batch_time_us = planned.batch_time_us;
    if (batch > committed_) {
      snapshot.pending.push_back(planned);
    } else {
      for (const Range& range : planned.ranges) snapshot.committed_records += range.records;
    }
  }
  snapshot.last_batch = std::max(snapshot.last_batch, committed_);
  return snapshot;
}

const PlannedBatch* Journal::Plan(std::uint64_t batch) const {
  const auto it = plans_.find(batch);
  return it == plans_.end() ? nullptr : &it->second;
}

}  // namespace millrace::simulation
