#include "tests/simulation/journal.h"

#include <algorithm>

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
  if (restored_.pending.empty() || !plans_.contains(restored_.pending.back().batch)) return;
  const PlannedBatch lost = restored_.pending.back();
  restored_.pending.pop_back();
  restored_.last_batch = lost.batch - 1;
  restored_.last_batch_time_us = lost.batch_time_us - 1;
  for (const Range& range : lost.ranges) {
    splits_[range.key].position = range.start;
    splits_[range.key].finished = false;
  }
  for (SplitState& split : restored_.splits) split = splits_.at(split.key);
  plans_.erase(lost.batch);
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
    restored_.splits.push_back(split);
  }
}

void Journal::Apply(const AppendPlanned& record) {
  const PlannedBatch& planned = record.planned;
  Check(planned);
  plans_[planned.batch] = planned;
  restored_.last_batch = planned.batch;
  restored_.last_batch_time_us = planned.batch_time_us;
  restored_.pending.push_back(planned);
  for (SplitState& split : restored_.splits) split = splits_.at(split.key);
}

void Journal::Check(const PlannedBatch& planned) {
  if (!plans_.empty() && planned.batch <= plans_.rbegin()->first) {
    throw Violation{Concat("batch ", planned.batch, " is planned after batch ", plans_.rbegin()->first)};
  }
  if (!plans_.empty() && planned.batch_time_us <= plans_.rbegin()->second.batch_time_us) {
    throw Violation{Concat("the time of batch ", planned.batch, " is not later than the one before")};
  }
  for (const Range& range : planned.ranges) {
    const auto split = splits_.find(range.key);
    if (split == splits_.end())
      throw Violation{Concat("batch ", planned.batch, " reads the unknown split ", range.key.split)};
    SplitState& state = split->second;
    if (state.ordinal != range.ordinal) throw Violation{Concat("split ", range.key.split, " changed its ordinal")};
    if (state.finished)
      throw Violation{Concat("batch ", planned.batch, " reads ", range.key.split, ", which is finished")};
    if (range.start != state.position) {
      throw Violation{
          Concat("batch ", planned.batch, " reads ", range.key.split, " from ", range.start, ", not ", state.position)};
    }
    state.position = range.end;
    state.finished = range.finished;
  }
}

void Journal::Apply(const AppendCommitted& record) {
  if (record.batch <= committed_)
    throw Violation{Concat("batch ", record.batch, " is committed after batch ", committed_)};
  for (const PlannedBatch& planned : restored_.pending) {
    if (planned.batch <= restored_.committed || planned.batch > record.batch) continue;
    for (const Range& range : planned.ranges) restored_.committed_records += range.records;
  }
  committed_ = record.batch;
  restored_.committed = record.batch;
  if (!stateful_)
    std::erase_if(restored_.pending, [&](const PlannedBatch& planned) { return planned.batch <= record.batch; });
}

void Journal::Apply(const AppendCheckpoint& record) {
  const Checkpoint& checkpoint = record.checkpoint;
  if (checkpoint.batch > committed_) throw Violation{Concat("checkpoint ", checkpoint.batch, " is not committed")};
  if (checkpoint.batch <= restored_.checkpoint.batch)
    throw Violation{Concat("checkpoint ", checkpoint.batch, " comes after checkpoint ", restored_.checkpoint.batch)};
  std::vector<Checkpoint>& before = restored_.checkpoints_before;
  before.insert(before.begin(), std::move(restored_.checkpoint));
  restored_.checkpoint = checkpoint;
  if (before.size() <= kCheckpointsKeptMax) return;
  before.resize(kCheckpointsKeptMax);
  std::erase_if(restored_.pending, [&](const PlannedBatch& planned) { return planned.batch <= before.back().batch; });
}

void Journal::Apply(const JobSnapshot& record) {
  for (const SplitState& split : record.splits) {
    const auto it = splits_.find(split.key);
    if (it == splits_.end() || it->second.ordinal != split.ordinal || it->second.position != split.position ||
        it->second.finished != split.finished) {
      throw Violation{
          Concat("the snapshot has split ", split.key.split, " at ", split.position, ", the records before it do not")};
    }
  }
  if (record.splits.size() != splits_.size()) throw Violation{"the snapshot lacks a split"};
  restored_ = record;
}

const PlannedBatch* Journal::Plan(std::uint64_t batch) const {
  const auto it = plans_.find(batch);
  return it == plans_.end() ? nullptr : &it->second;
}

}  // namespace millrace::simulation
