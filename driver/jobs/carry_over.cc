#include "driver/jobs/carry_over.h"

#include <algorithm>
#include <map>
#include <vector>

#include "common/status.h"

namespace millrace {
namespace {

// As the library names state: the author's uid, or the operator's place in the graph.
std::string UidOf(const v1::Operator& op) { return op.uid().empty() ? Concat("#", op.id()) : op.uid(); }

std::string Label(const v1::Operator& op) { return Concat(op.name(), " '", UidOf(op), "' at ", op.location()); }

const v1::Operator* FindByUid(const v1::Plan& plan, const std::string& uid, v1::OperatorKind kind) {
  for (const v1::Operator& op : plan.operators()) {
    if (op.kind() == kind && UidOf(op) == uid) return &op;
  }
  return nullptr;
}

const v1::Stage* StageOf(const v1::Plan& plan, std::uint32_t root) {
  for (const v1::Stage& stage : plan.stages()) {
    if (stage.root() == root) return &stage;
  }
  return nullptr;
}

bool CountsBatches(const v1::Plan& plan) {
  return std::ranges::any_of(plan.operators(),
                             [](const v1::Operator& op) { return op.window() > 0 || op.period() > 1; });
}

class Comparison {
 public:
  Comparison(const v1::Plan& old_plan, const v1::Plan& new_plan) : old_(old_plan), new_(new_plan) {}

  // Where the state of each old stage goes.
  std::map<std::uint32_t, std::uint32_t> States() {
    std::map<std::uint32_t, std::uint32_t> stages;
    for (const v1::Stage& stage : old_.stages()) {
      if (!stage.stateful()) continue;
      const v1::Operator& before = old_.operators(static_cast<int>(stage.root()));
      const v1::Operator* after = FindByUid(new_, UidOf(before), before.kind());
      const v1::Stage* target = after == nullptr ? nullptr : StageOf(new_, after->id());
      if (target == nullptr || !target->stateful()) {
        Add(Concat("- ", Label(before), " keeps ", before.state().description(),
                   "; the new job has no stateful operator with this uid"));
        continue;
      }
      Compare(before, *after);
      stages[stage.id()] = target->id();
    }
    if (CountsBatches(old_) && old_.batch_interval_us() != new_.batch_interval_us()) {
      Add(Concat("~ the batch interval was ", old_.batch_interval_us(), " us and is now ", new_.batch_interval_us(),
                 " us; windows are kept in batches"));
    }
    return stages;
  }

  std::map<std::uint32_t, std::uint32_t> Sources() {
    std::map<std::uint32_t, std::uint32_t> sources;
    for (const v1::Operator& before : old_.operators()) {
      if (before.kind() != v1::OPERATOR_KIND_SOURCE) continue;
      const v1::Operator* after = FindByUid(new_, UidOf(before), before.kind());
      if (after == nullptr) {
        Add(Concat("- source ", Label(before), "; the new job has no source with this uid"));
      } else if (after->source().connector() != before.source().connector()) {
        Add(Concat("~ source '", UidOf(before), "' was ", before.source().connector(), " and is now ",
                   after->source().connector()));
      } else {
        sources[before.id()] = after->id();
      }
    }
    return sources;
  }

  const std::vector<std::string>& difference() const { return difference_; }

 private:
  void Compare(const v1::Operator& before, const v1::Operator& after) {
    const auto differ = [&](std::string_view what, const auto& was, const auto& is) {
      if (was != is) Add(Concat("~ ", Label(after), ": ", what, " was ", was, " and is now ", is));
    };
    differ("its state", before.state().description(), after.state().description());
    differ("the number of key groups", before.state().key_groups(), after.state().key_groups());
    differ("the number of partitions", before.shuffle().partitions(), after.shuffle().partitions());
    differ("its window in batches", before.window(), after.window());
    differ("its slide in batches", before.period(), after.period());
  }
  void Add(std::string line) { difference_.push_back(std::move(line)); }

  const v1::Plan& old_;
  const v1::Plan& new_;
  std::vector<std::string> difference_;
};

// The batch after which the new job goes on.
absl::StatusOr<std::uint64_t> LastBatch(const std::string& job, const v1::Plan& plan, const JobSnapshot& old) {
  if (plan.checkpoint_interval_us() == 0) return old.committed;
  if (old.checkpoint.batch == 0 && old.last_batch > 0) {
    return FailedPrecondition("job ", job, " ended after batch ", old.last_batch,
                              " without a checkpoint of its state: there is nothing to go on from");
  }
  return old.checkpoint.batch;
}

// Where a split was read up to after a batch: where the first later one begins.
SplitState After(std::uint64_t batch, const JobSnapshot& old, SplitState split) {
  for (const PlannedBatch& planned : old.pending) {
    if (planned.batch <= batch) continue;
    for (const Range& range : planned.ranges) {
      if (range.key != split.key) continue;
      split.position = range.start;
      split.finished = false;
      return split;
    }
  }
  return split;
}

std::int64_t TimeOf(std::uint64_t batch, const v1::Plan& plan, const JobSnapshot& old) {
  for (const PlannedBatch& planned : old.pending) {
    if (planned.batch > batch)
      return planned.batch_time_us - static_cast<std::int64_t>((planned.batch - batch) * plan.batch_interval_us());
  }
  return old.last_batch_time_us;
}

}  // namespace

absl::StatusOr<CarriedOver> CarryOver(const std::string& old_job, const v1::Plan& old_plan, const JobSnapshot& old,
                                      const v1::Plan& new_plan) {
  MR_ASSIGN_OR_RETURN(const std::uint64_t last, LastBatch(old_job, old_plan, old));
  Comparison comparison(old_plan, new_plan);
  const auto sources = comparison.Sources();
  const auto stages = comparison.States();
  if (!comparison.difference().empty()) {
    std::string text;
    for (const std::string& line : comparison.difference()) text += "\n  " + line;
    return InvalidArgument("the job does not fit what ", old_job, " left behind:", text,
                           "\nGive operators the uids they had (.Uid), keep their types, or submit without --from");
  }
  CarriedOver carried;
  JobSnapshot& first = carried.snapshot;
  first.last_batch = first.committed = last;  // numbers go on: windows are kept in batches
  first.last_batch_time_us = TimeOf(last, old_plan, old);
  for (const SplitState& before : old.splits) {
    SplitState split = After(last, old, before);
    split.key.source = sources.at(split.key.source);
    first.splits.push_back(std::move(split));
  }
  if (last < old.last_batch) {
    carried.note = Concat("goes on after batch ", last, " of ", old_job, "; what that put out of batches ", last + 1,
                          " to ", old.last_batch, " may come again");
  }
  if (new_plan.checkpoint_interval_us() == 0) return carried;
  first.checkpoint.batch = last;
  for (const auto& [task, chain] : old.checkpoint.chains) {
    const auto stage = stages.find(task.stage);
    if (stage != stages.end()) first.checkpoint.chains[{stage->second, task.partition}] = chain;
  }
  return carried;
}

}  // namespace millrace
