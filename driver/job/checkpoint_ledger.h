// Which checkpoints of the job's state there are, and how far the one under way has come. Pure bookkeeping.
//
// A checkpoint of batch c is complete when every stateful partition's owner has reported the files that stand for its
// state after c, and c is committed. It exists when it is in the journal. Of a partition that gets a new owner in
// between, the report counts no more: the new owner stands further back, and reports when it has passed c itself. The
// files of the two newest checkpoints are kept, older ones are garbage.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/dataflow/job_plan.h"
#include "driver/job/events.h"

namespace millrace {

class CheckpointLedger {
 public:
  explicit CheckpointLedger(const JobPlan& plan);

  void Restore(const Checkpoint& newest, const Checkpoint& before);

  // Whether one should begin with this batch: none is under way, and the last is old enough.
  bool Due(std::uint64_t batch) const;
  void Begin(std::uint64_t batch);
  std::uint64_t under_way() const { return under_way_ ? under_way_->batch : 0; }

  void Report(const StateReport& report);
  void Forget(TaskKey task);
  // The one under way, once, when it is complete.
  std::optional<Checkpoint> TakeComplete(std::uint64_t committed);
  // It is durable. Returns the files that no one needs any more.
  std::vector<std::string> Settle();
  // Whether a partition got a new owner between the two: it was told to begin at the checkpoint before, and would wait
  // for batches that nobody keeps.
  bool TakeLeftBehind() { return std::exchange(left_behind_, false); }

  const Checkpoint& newest() const { return newest_; }
  // What a snapshot that replaces the journal must hold: a checkpoint that is on its way there counts.
  const Checkpoint& newest_appended() const { return appended_ && under_way_ ? *under_way_ : newest_; }
  const Checkpoint& before_appended() const { return appended_ && under_way_ ? newest_ : before_; }

 private:
  const std::uint64_t interval_batches_;
  std::set<TaskKey> partitions_;
  Checkpoint newest_;  // batch 0: none yet
  Checkpoint before_;
  std::optional<Checkpoint> under_way_;
  bool appended_ = false;
  bool left_behind_ = false;
};

}  // namespace millrace
