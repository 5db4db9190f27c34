// What the simulated job computes: plans of several shapes, sources whose records are a pure function of (split,
// index), and a computation whose result depends on every record and on the order of the merge. The sequential oracle
// and the simulated workers call the same small functions; only the oracle sees whole batches. No state.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/dataflow/job_plan.h"

namespace millrace::simulation {

using Record = std::uint64_t;
using Records = std::vector<Record>;

inline constexpr std::size_t kPlanShapes = 9;

// 0: source → shuffle → sink.            1: source with a sink in its own stage, and a shuffle to a second sink.
// 2: two sources → one shuffle → another shuffle → sink.        3: as 0, both stages run for empty batches too.
// 4: as 2, the last stage runs for empty batches too.           5: source → sink, no shuffle.
// 6: source → state → sink.               7: source → state with a sink → state → sink.
// 8: two sources → one shuffle → state → another shuffle → sink.
JobPlan MakePlan(std::size_t shape, bool bounded, std::int64_t batch_interval_us);

// Positions are decimal indices.
std::uint64_t IndexOf(const std::string& position);
Records RecordsOf(const SplitKey& split, std::uint64_t start, std::uint64_t end);
// What a stage makes of its input, in order.
Records Transform(std::uint32_t stage, const Records& input);
// What a partition remembers: a digest of all that it has ever been given.
Record NextState(Record state, const Records& input);
// The same with state, as it stands after the batch: it is in every record, and a record of its own.
Records TransformWithState(std::uint32_t stage, const Records& input, Record state);
// Those records of a stage's output that go to a partition of a shuffle.
Records PartOf(const Records& output, std::uint32_t shuffle, std::uint32_t partition, std::uint32_t partitions);

struct Output {
  std::uint64_t records = 0;
  std::uint64_t digest = 0;  // depends on their order
  bool operator==(const Output&) const = default;
};
Output Summarize(const Records& records);

// The oracle: what every task with a sink must make of a batch with these ranges. `states` are moved on by the batch.
using States = std::map<TaskKey, Record>;
std::map<TaskKey, Output> ExpectedOutputs(const JobPlan& plan, const std::vector<Range>& ranges, States& states);

const StagePlan* StageOfShuffle(const JobPlan& plan, std::uint32_t shuffle);

}  // namespace millrace::simulation
