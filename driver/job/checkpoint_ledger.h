// Which checkpoints of the job's state there are, and how far the one under way has come. Pure bookkeeping.
//
// A checkpoint of batch c is complete when every stateful partition's owner has reported the files that stand for its
// state after c, and c is committed. It exists when it is in the journal. Of a partition that gets a new owner in
// between, the report counts no more: the new owner stands further back, and reports when it has passed c itself.
//
// The newest ones are kept, some of them: should a file of the newest be damaged, the job goes back to the one before,
// or to one before that. To go back to the begin of the job counts as a checkpoint, of batch 0, without files. Files
// that belong to none of those kept are garbage.
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
  // `kept`: at least 1.
  CheckpointLedger(const JobPlan& plan, std::size_t kept);

  // `before`: the newest first.
  void Restore(const Checkpoint& newest, const std::vector<Checkpoint>& before);

  // Whether one should begin with this batch: none is under way, and the last is old enough.
  bool Due(std::uint64_t batch) const;
  void Begin(std::uint64_t batch);
  std::uint64_t under_way() const { return under_way_ ? under_way_->batch : 0; }

  void Report(const StateReport& report);
  void Forget(TaskKey task);
  // The one under way, once, when it is complete.
  std::optional<Checkpoint> TakeComplete(std::uint64_t committed);
  // It is durable. Returns the files that no one needs any more. Of older checkpoints only the newest is kept if it is
  // from before batch `since`: somebody may just be restoring it.
  std::vector<std::string> Settle(std::uint64_t since);
  // Whether a partition got a new owner between the two: it was told to begin at the checkpoint before, and would wait
  // for batches that nobody keeps.
  bool TakeLeftBehind() { return std::exchange(left_behind_, false); }
  bool awaits_journal() const { return appended_; }

  // These files are damaged: makes the newest checkpoint that is without them, and not before batch `since`, the newest
  // of all, and gives up the one under way. False, and nothing is changed, when there is none. Not while the journal is
  // awaited.
  bool PassOver(const std::vector<std::string>& damaged, std::uint64_t since);

  const Checkpoint& newest() const { return newest_; }
  const Checkpoint& oldest() const { return before_.empty() ? newest_ : before_.back(); }
  // What a snapshot that replaces the journal must hold: a checkpoint that is on its way there counts.
  const Checkpoint& newest_appended() const { return appended_ && under_way_ ? *under_way_ : newest_; }
  std::vector<Checkpoint> before_appended() const;

  // Every file that a checkpoint needs, one that is kept or one under way.
  std::set<std::string> Files() const;
  // Files of this batch and those before it that are not among those are needed by nobody: whoever holds a partition
  // stands on the newest checkpoint, or on the one before.
  std::uint64_t settled_through() const { return before_.empty() ? 0 : before_.front().batch; }

 private:
  const std::uint64_t interval_batches_;
  const std::size_t kept_;
  std::set<TaskKey> partitions_;
  Checkpoint newest_;               // batch 0: the begin of the job
  std::vector<Checkpoint> before_;  // the newest first
  std::set<std::string> damaged_;
  std::vector<Checkpoint> passed_over_;  // their files are garbage when there is a newer checkpoint
  std::optional<Checkpoint> under_way_;
  bool appended_ = false;
  bool left_behind_ = false;
};

}  // namespace millrace
