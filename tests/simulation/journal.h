// The simulated journal: records become durable in order, some time after they are appended. When the driver dies, what
// was not yet durable is lost from some point on. Checks that the durable plan reads every split from end to end
// without gap or overlap. Throws Violation. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "driver/job/events.h"
#include "tests/simulation/random.h"

namespace millrace::simulation {

// More than any master keeps here.
inline constexpr std::size_t kCheckpointsKeptMax = 6;

using JournalRecord = std::variant<AppendSplits, AppendPlanned, AppendCommitted, AppendCheckpoint, JobSnapshot>;

class Journal {
 public:
  // `stateful`: committed batches stay until a checkpoint covers them.
  explicit Journal(bool stateful) : stateful_(stateful) {}
  // `durable_at` must not go down.
  void Append(JournalRecord record, std::int64_t durable_at);
  // Records whose time has come are durable from now on.
  void Advance(std::int64_t now);
  // The driver is gone: of what was on its way, a part of random length got through.
  void Crash(Random& random);
  // The mutation: the newest plan that nothing was committed after is gone, as if it had never been durable.
  void ForgetLastPlan();

  std::int64_t last_durable_at() const { return last_durable_at_; }
  // What a new driver reads: the last durable snapshot and the records after it.
  const JobSnapshot& restored() const { return restored_; }
  // The ranges of a batch if its plan is durable.
  const PlannedBatch* Plan(std::uint64_t batch) const;
  const std::map<std::uint64_t, PlannedBatch>& plans() const { return plans_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    JournalRecord record;
    std::int64_t durable_at;
  };
  void Apply(const AppendSplits& record);
  void Apply(const AppendPlanned& record);
  void Apply(const AppendCommitted& record);
  void Apply(const AppendCheckpoint& record);
  void Apply(const JobSnapshot& record);
  void Check(const PlannedBatch& planned);

  const bool stateful_;
  std::deque<Waiting> waiting_;
  std::int64_t last_durable_at_ = 0;
  std::map<SplitKey, SplitState> splits_;
  std::map<std::uint64_t, PlannedBatch> plans_;
  std::uint64_t committed_ = 0;
  JobSnapshot restored_;
};

}  // namespace millrace::simulation
