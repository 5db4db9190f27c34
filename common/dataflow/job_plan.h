// A job's plan as the cores see it: what stages there are and which tasks a batch has. Plain data and pure functions,
// shared by the job master (which tasks must report) and the runner (which inputs a task waits for), so that the two
// can never disagree.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataflow/messages.h"

namespace millrace {

struct SourcePlan {
  std::uint32_t op = 0;
  std::string connector;
  std::string description;  // for people
  bool bounded = false;
  bool replayable = true;
  bool receiver = false;
  std::map<std::string, std::string> nodes = {};  // the executor that a split had best be on, by the split
};

struct StagePlan {
  std::uint32_t id = 0;
  std::uint32_t root = 0;
  bool reads_source = false;            // else its root is a shuffle
  std::uint32_t partitions = 0;         // of the shuffle; 0 for a source
  std::vector<std::uint32_t> shuffles;  // written
  std::vector<std::uint32_t> sinks;
  std::vector<std::uint32_t> upstream;  // stages that write its root (shuffle roots only)
  bool runs_empty = false;
  bool stateful = false;
  bool replicated = false;  // a second runner keeps what it makes, so that it need not be computed again
  bool kept = false;        // stateful, or feeds what is: its batches since the last checkpoint may be needed again
};

struct JobPlan {
  std::string name;
  std::int64_t batch_interval_us = 0;
  std::uint64_t fingerprint = 0;
  std::vector<SourcePlan> sources;
  std::vector<StagePlan> stages;             // upstream first
  std::int64_t checkpoint_interval_us = 0;   // 0: no stage keeps state
  std::vector<std::string> operator_labels;  // by operator id: "Map at job.cc:12", for error messages

  std::string Label(std::uint32_t op) const;
  const StagePlan* StageOfSource(std::uint32_t source) const;
  bool stateful() const { return checkpoint_interval_us > 0; }
};

// Sets `kept` of all stages from `stateful`.
void MarkKeptStages(JobPlan& plan);

// Which stages have tasks in a batch with these ranges; by stage id.
std::vector<bool> RunningStages(const JobPlan& plan, std::span<const Range> ranges);

// Whether the task that reads this range must run.
bool RangeRuns(const StagePlan& stage, const Range& range);

// Every task of the batch that has a sink: when all of them are done, the batch is.
std::vector<TaskKey> SinkTasks(const JobPlan& plan, std::span<const Range> ranges);

// A block that a reduce task needs, and the input it must have been made from.
struct NeededBlock {
  std::uint32_t stage = 0;
  std::uint32_t map_partition = 0;
  std::uint64_t input_hash = 0;
};

// Blocks that each reduce task of `stage` merges, in map-partition order. Empty when the stage does not run.
std::vector<NeededBlock> NeededBlocks(const JobPlan& plan, const StagePlan& stage, const Go& go);

// XXH3 of a range's source, split, start and end; and of all ranges of a batch in order.
std::uint64_t RangeHash(const Range& range);
std::uint64_t RangesHash(std::span<const Range> ranges);

}  // namespace millrace
