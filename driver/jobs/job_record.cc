#include "driver/jobs/job_record.h"

#include <algorithm>

#include "common/status.h"

namespace millrace {
namespace {

void WriteSplit(const SplitState& split, v1::durable::Split* out) {
  out->set_source(split.key.source);
  out->set_split(split.key.split);
  out->set_ordinal(split.ordinal);
  out->set_position(split.position);
  out->set_finished(split.finished);
}

SplitState ReadSplit(const v1::durable::Split& in) {
  return {{in.source(), in.split()}, in.ordinal(), in.position(), in.finished()};
}

// Ranges of splits that had nothing are left out: the position says all there is to say.
void WritePlanned(const PlannedBatch& planned, v1::durable::Planned* out) {
  out->set_batch(planned.batch);
  out->set_batch_time_us(planned.batch_time_us);
  for (const Range& range : planned.ranges) {
    auto* r = out->add_ranges();
    r->set_source(range.key.source);
    r->set_split(range.key.split);
    r->set_start(range.start);
    r->set_end(range.end);
    r->set_records(range.records);
    r->set_finished(range.finished);
  }
}

void WriteCheckpoint(const Checkpoint& checkpoint, v1::durable::Checkpoint* out) {
  out->set_batch(checkpoint.batch);
  for (const auto& [task, files] : checkpoint.chains) {
    auto* chain = out->add_chains();
    chain->set_stage(task.stage);
    chain->set_partition(task.partition);
    for (const StateFile& file : files) {
      auto* f = chain->add_files();
      f->set_name(file.name);
      f->set_bytes(file.bytes);
      f->set_entries(file.entries);
      f->set_base(file.base);
    }
  }
}

Checkpoint ReadCheckpoint(const v1::durable::Checkpoint& in) {
  Checkpoint checkpoint{in.batch(), {}};
  for (const auto& chain : in.chains()) {
    StateChain& files = checkpoint.chains[{chain.stage(), chain.partition()}];
    for (const auto& f : chain.files()) files.push_back({f.name(), f.bytes(), f.entries(), f.base()});
  }
  return checkpoint;
}

class Player {
 public:
  absl::Status Play(const v1::durable::JournalRecord& record) {
    if (record.has_snapshot()) return PlaySnapshot(record.snapshot());
    if (record.has_splits()) {
      for (const auto& split : record.splits().added()) splits_[{split.source(), split.split()}] = ReadSplit(split);
      return absl::OkStatus();
    }
    if (record.has_planned()) return PlayPlanned(record.planned(), true);
    if (record.has_checkpoint()) return PlayCheckpoint(record.checkpoint());
    if (record.has_committed()) return PlayCommitted(record.committed().batch());
    if (record.has_ended()) {
      job_.state = static_cast<JobState>(record.ended().state());
      job_.error = record.ended().error();
      job_.ended_time_us = record.ended().time_us();
    }
    return absl::OkStatus();
  }

  RecoveredJob Take() {
    for (const auto& [key, split] : splits_) job_.snapshot.splits.push_back(split);
    return std::move(job_);
  }

 private:
  absl::Status PlaySnapshot(const v1::durable::Snapshot& in) {
    JobRecord& record = job_.record;
    record.id = in.job_id();
    record.name = in.name();
    record.sha256 = in.artifact_sha256();
    record.arguments = {in.arguments().begin(), in.arguments().end()};
    record.batch_interval_us = in.batch_interval_us();
    record.submitted_time_us = in.submitted_time_us();
    record.plan = in.plan();
    record.submission = in.submission();
    splits_.clear();
    for (const auto& split : in.splits()) splits_[{split.source(), split.split()}] = ReadSplit(split);
    job_.snapshot = {};
    job_.snapshot.last_batch = in.last_batch();
    job_.snapshot.last_batch_time_us = in.last_batch_time_us();
    job_.snapshot.committed = in.committed();
    job_.snapshot.committed_records = in.committed_records();
    job_.snapshot.source_records = {in.source_records().begin(), in.source_records().end()};
    job_.snapshot.checkpoint = ReadCheckpoint(in.checkpoint());
    for (const auto& before : in.checkpoints_before())
      job_.snapshot.checkpoints_before.push_back(ReadCheckpoint(before));
    for (const auto& c : in.counts()) job_.snapshot.counts[{c.operator_id(), c.name()}] = c.value();
    for (const auto& planned : in.pending()) MR_RETURN_IF_ERROR(PlayPlanned(planned, false));
    return absl::OkStatus();
  }

  // `moves`: positions go on with it; those of a snapshot's pending batches already have.
  absl::Status PlayPlanned(const v1::durable::Planned& in, bool moves) {
    PlannedBatch planned{in.batch(), in.batch_time_us(), {}};
    for (const auto& r : in.ranges()) {
      const SplitKey key{r.source(), r.split()};
      const auto split = splits_.find(key);
      if (split == splits_.end())
        return DataLoss("journal of ", job_.record.id, ": batch ", in.batch(), " reads unknown split ", r.split());
      if (moves && split->second.position != r.start()) {
        return DataLoss("journal of ", job_.record.id, ": batch ", in.batch(), " reads ", r.split(), " from ",
                        r.start(), ", not from ", split->second.position);
      }
      if (moves) split->second.position = r.end(), split->second.finished = split->second.finished || r.finished();
      planned.ranges.push_back({key, split->second.ordinal, r.start(), r.end(), r.records(), r.finished()});
    }
    if (moves) {
      job_.snapshot.last_batch = in.batch();
      job_.snapshot.last_batch_time_us = in.batch_time_us();
    }
    job_.snapshot.pending.push_back(std::move(planned));
    return absl::OkStatus();
  }

  absl::Status PlayCommitted(std::uint64_t batch) {
    JobSnapshot& s = job_.snapshot;
    for (const PlannedBatch& planned : s.pending) {
      if (planned.batch <= s.committed || planned.batch > batch) continue;
      for (const Range& range : planned.ranges) {
        s.committed_records += range.records;
        s.source_records[range.key.source] += range.records;
      }
    }
    s.committed = std::max(s.committed, batch);
    if (job_.record.plan.checkpoint_interval_us() == 0) Forget(batch);
    return absl::OkStatus();
  }

  absl::Status PlayCheckpoint(const v1::durable::Checkpoint& in) {
    JobSnapshot& s = job_.snapshot;
    if (in.batch() <= s.checkpoint.batch) {
      return DataLoss("journal of ", job_.record.id, ": checkpoint of batch ", in.batch(),
                      " comes after that of batch ", s.checkpoint.batch);
    }
    // All batches stay: the master knows how many checkpoints are kept.
    s.checkpoints_before.insert(s.checkpoints_before.begin(), std::move(s.checkpoint));
    s.checkpoint = ReadCheckpoint(in);
    return absl::OkStatus();
  }

  void Forget(std::uint64_t through) {
    std::erase_if(job_.snapshot.pending, [&](const PlannedBatch& planned) { return planned.batch <= through; });
  }

  RecoveredJob job_;
  std::map<SplitKey, SplitState> splits_;
};

}  // namespace

v1::durable::Snapshot ToDurable(const JobRecord& record, const JobSnapshot& snapshot) {
  v1::durable::Snapshot out;
  out.set_job_id(record.id);
  out.set_name(record.name);
  out.set_artifact_sha256(record.sha256);
  out.mutable_arguments()->insert(record.arguments.begin(), record.arguments.end());
  out.set_batch_interval_us(record.batch_interval_us);
  out.set_submitted_time_us(record.submitted_time_us);
  *out.mutable_plan() = record.plan;
  out.set_submission(record.submission);
  for (const SplitState& split : snapshot.splits) WriteSplit(split, out.add_splits());
  out.set_last_batch(snapshot.last_batch);
  out.set_last_batch_time_us(snapshot.last_batch_time_us);
  out.set_committed(snapshot.committed);
  out.set_committed_records(snapshot.committed_records);
  out.mutable_source_records()->insert(snapshot.source_records.begin(), snapshot.source_records.end());
  for (const PlannedBatch& planned : snapshot.pending) WritePlanned(planned, out.add_pending());
  if (snapshot.checkpoint.batch != 0) WriteCheckpoint(snapshot.checkpoint, out.mutable_checkpoint());
  for (const Checkpoint& before : snapshot.checkpoints_before) WriteCheckpoint(before, out.add_checkpoints_before());
  for (const auto& [counter, value] : snapshot.counts) {
    auto* c = out.add_counts();
    c->set_operator_id(counter.first);
    c->set_name(counter.second);
    c->set_value(value);
  }
  return out;
}

v1::durable::JournalRecord ToDurable(const AppendSplits& splits) {
  v1::durable::JournalRecord record;
  for (const SplitState& split : splits.added) WriteSplit(split, record.mutable_splits()->add_added());
  return record;
}

v1::durable::JournalRecord ToDurable(const AppendPlanned& planned) {
  v1::durable::JournalRecord record;
  WritePlanned(planned.planned, record.mutable_planned());
  return record;
}

v1::durable::JournalRecord ToDurable(const AppendCheckpoint& checkpoint) {
  v1::durable::JournalRecord record;
  WriteCheckpoint(checkpoint.checkpoint, record.mutable_checkpoint());
  return record;
}

v1::durable::JournalRecord ToDurable(const AppendCommitted& committed) {
  v1::durable::JournalRecord record;
  record.mutable_committed()->set_batch(committed.batch);
  return record;
}

v1::durable::JournalRecord ToDurable(const EndJob& end, std::int64_t now_us) {
  v1::durable::JournalRecord record;
  record.mutable_ended()->set_state(static_cast<std::uint32_t>(end.state));
  record.mutable_ended()->set_error(end.error);
  record.mutable_ended()->set_time_us(now_us);
  return record;
}

absl::StatusOr<RecoveredJob> Replay(const std::vector<v1::durable::JournalRecord>& records) {
  Player player;
  for (const auto& record : records) MR_RETURN_IF_ERROR(player.Play(record));
  return player.Take();
}

}  // namespace millrace
