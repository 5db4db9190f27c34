#include "common/dataflow/job_plan.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "common/status.h"

namespace millrace {

std::string JobPlan::Label(std::uint32_t op) const {
  return op < operator_labels.size() ? operator_labels[op] : Concat("operator ", op);
}

const StagePlan* JobPlan::StageOfSource(std::uint32_t source) const {
  for (const StagePlan& stage : stages) {
    if (stage.reads_source && stage.root == source) return &stage;
  }
  return nullptr;
}

void MarkKeptStages(JobPlan& plan) {
  for (StagePlan& stage : plan.stages) stage.kept = stage.stateful;
  for (std::size_t i = plan.stages.size(); i-- > 0;) {  // a stage comes after those that feed it
    if (!plan.stages[i].kept) continue;
    for (const std::uint32_t up : plan.stages[i].upstream) plan.stages[up].kept = true;
  }
}

bool RangeRuns(const StagePlan& stage, const Range& range) { return range.records > 0 || stage.runs_empty; }

std::vector<bool> RunningStages(const JobPlan& plan, std::span<const Range> ranges) {
  std::vector<bool> runs(plan.stages.size(), false);
  for (const StagePlan& stage : plan.stages) {  // upstream first, so one pass is enough
    bool run = false;
    if (stage.reads_source) {
      for (const Range& range : ranges) run = run || (range.key.source == stage.root && RangeRuns(stage, range));
    } else {
      run = stage.runs_empty;
      for (const std::uint32_t up : stage.upstream) run = run || runs[up];
    }
    runs[stage.id] = run;
  }
  return runs;
}

std::vector<TaskKey> SinkTasks(const JobPlan& plan, std::span<const Range> ranges) {
  const std::vector<bool> runs = RunningStages(plan, ranges);
  std::vector<TaskKey> tasks;
  for (const StagePlan& stage : plan.stages) {
    if (stage.sinks.empty() || !runs[stage.id]) continue;
    if (stage.reads_source) {
      for (const Range& range : ranges) {
        if (range.key.source == stage.root && RangeRuns(stage, range)) tasks.push_back({stage.id, range.ordinal});
      }
    } else {
      for (std::uint32_t p = 0; p < stage.partitions; ++p) tasks.push_back({stage.id, p});
    }
  }
  return tasks;
}

std::vector<NeededBlock> NeededBlocks(const JobPlan& plan, const StagePlan& stage, const Go& go) {
  const std::vector<bool> runs = RunningStages(plan, go.ranges);
  std::vector<NeededBlock> needed;
  for (const std::uint32_t up : stage.upstream) {
    const StagePlan& from = plan.stages[up];
    if (!runs[up]) continue;
    if (from.reads_source) {
      for (const Range& range : go.ranges) {
        if (range.key.source == from.root && RangeRuns(from, range))
          needed.push_back({up, range.ordinal, RangeHash(range)});
      }
    } else {
      for (std::uint32_t p = 0; p < from.partitions; ++p) needed.push_back({up, p, go.ranges_hash});
    }
  }
  std::sort(needed.begin(), needed.end(), [](const NeededBlock& a, const NeededBlock& b) {
    return std::pair(a.stage, a.map_partition) < std::pair(b.stage, b.map_partition);
  });
  return needed;
}

namespace {
// Length before each part, so that no two ranges have the same bytes.
void AppendPart(std::string& out, std::string_view part) { out.append(Concat(part.size(), ":", part, ";")); }

void AppendRange(std::string& out, const Range& range) {
  AppendPart(out, Concat(range.key.source));
  AppendPart(out, range.key.split);
  AppendPart(out, range.start);
  AppendPart(out, range.end);
}
}  // namespace

std::uint64_t RangeHash(const Range& range) {
  std::string bytes;
  AppendRange(bytes, range);
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t RangesHash(std::span<const Range> ranges) {
  std::string bytes;
  for (const Range& range : ranges) AppendRange(bytes, range);
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace millrace
