// Batches that are planned and not yet committed, what each still waits for, how often its tasks were tried, and the
// figures of the last batches for the status. Of a job with state also the batches committed since the oldest
// checkpoint that is kept: whoever restores state computes those since his checkpoint again.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/dataflow/job_plan.h"
#include "driver/job/events.h"

namespace millrace {

struct BatchFigures {
  std::uint64_t batch = 0;
  std::int64_t due_us = 0;
  std::int64_t cut_us = 0;
  std::int64_t committed_us = 0;  // 0: not yet
  std::uint64_t records = 0;
  std::uint32_t retries = 0;
};

class BatchLedger {
 public:
  explicit BatchLedger(const JobPlan& plan) : plan_(plan) {}

  // Adds a batch that waits for the journal; without effects it is in no journal and waits for nothing.
  void Add(PlannedBatch planned, std::int64_t cut_us, bool effects);
  void MarkDurable(std::uint64_t batch);
  // Tasks of a batch that are done. Unknown batches and tasks are ignored (repeated reports).
  void MarkDone(std::uint64_t batch, const std::vector<TaskKey>& tasks);
  // What another driver has seen committed.
  void MarkAllDone(std::uint64_t through);
  // Counts a failed attempt of a task (of a batch that may not be planned yet) and returns how many it has had.
  int CountFailure(std::uint64_t batch, TaskKey task);
  struct Committed {
    PlannedBatch planned;
    bool effects = false;
    Counts counts;
  };
  // What the operators of a task counted; of each task of a batch once, however often it is computed.
  void AddCounts(std::uint64_t batch, const std::map<TaskKey, Counts>& counts);
  // Batches that are done and whose predecessors are committed, in order; they are removed. `now` is when.
  std::vector<Committed> TakeCommitted(std::int64_t now);
  // Committed batches up to this one are not needed any more.
  void Release(std::uint64_t through);
  // A committed batch that state has to be computed from again, after a restart.
  void Retain(PlannedBatch planned) { retained_[planned.batch] = std::move(planned); }

  std::vector<Go> DurableGos(std::uint64_t after) const;  // every batch after this one that may run, ascending
  Go GoOf(std::uint64_t batch) const;
  bool Contains(std::uint64_t batch) const { return pending_.contains(batch) || retained_.contains(batch); }
  std::size_t pending() const { return pending_.size(); }
  bool AwaitsJournal() const;                                    // some batch is not durable yet
  std::vector<PlannedBatch> pending_batches() const;             // the retained ones first
  std::set<SplitKey> pending_splits(std::uint64_t after) const;  // that a batch after this one reads
  // The first batch after which all are here, up to `newest`.
  std::uint64_t KnownSince(std::uint64_t newest) const;
  // The first batch after which those that are here have together at most so many ranges.
  std::uint64_t LightSince(std::size_t ranges_max) const;
  std::vector<BatchFigures> figures() const;  // newest first: pending ones, then the last committed ones
  std::uint64_t late() const { return late_; }
  std::uint32_t retries() const { return retries_; }

 private:
  struct Pending {
    PlannedBatch planned;
    bool effects = false;
    bool durable = false;
    std::set<TaskKey> waiting;
    std::map<TaskKey, Counts> counts;
    BatchFigures figures;
  };
  static Go MakeGo(const PlannedBatch& planned);

  const JobPlan& plan_;  // outlives this
  std::map<std::uint64_t, Pending> pending_;
  std::map<std::uint64_t, PlannedBatch> retained_;
  std::map<std::pair<std::uint64_t, TaskKey>, int> failures_;
  std::deque<BatchFigures> history_;
  std::uint64_t late_ = 0;
  std::uint32_t retries_ = 0;
};

}  // namespace millrace
