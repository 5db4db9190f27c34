#include "tests/simulation/workload.h"

#include "common/status.h"
#include "tests/simulation/random.h"

namespace millrace::simulation {
namespace {

StagePlan SourceStage(std::uint32_t id, std::uint32_t root) {
  StagePlan stage;
  stage.id = id;
  stage.root = root;
  stage.reads_source = true;
  return stage;
}

StagePlan ShuffleStage(std::uint32_t id, std::uint32_t root, std::uint32_t partitions,
                       std::vector<std::uint32_t> upstream) {
  StagePlan stage;
  stage.id = id;
  stage.root = root;
  stage.partitions = partitions;
  stage.upstream = std::move(upstream);
  return stage;
}

void AddOneShuffle(JobPlan& plan, bool runs_empty) {
  StagePlan map = SourceStage(0, 0);
  map.shuffles = {1};
  map.runs_empty = runs_empty;
  StagePlan reduce = ShuffleStage(1, 1, 3, {0});
  reduce.sinks = {2};
  reduce.runs_empty = runs_empty;
  plan.stages = {map, reduce};
}

void AddTwoSinks(JobPlan& plan) {
  StagePlan map = SourceStage(0, 0);
  map.sinks = {1};
  map.shuffles = {2};
  StagePlan reduce = ShuffleStage(1, 2, 2, {0});
  reduce.sinks = {3};
  plan.stages = {map, reduce};
}

void AddTwoShuffles(JobPlan& plan, bool runs_empty) {
  StagePlan left = SourceStage(0, 0), right = SourceStage(1, 1);
  left.shuffles = right.shuffles = {2};
  StagePlan middle = ShuffleStage(2, 2, 2, {0, 1});
  middle.shuffles = {3};
  StagePlan last = ShuffleStage(3, 3, 3, {2});
  last.sinks = {4};
  last.runs_empty = runs_empty;
  plan.stages = {left, right, middle, last};
}

void AddSinkOnly(JobPlan& plan) {
  StagePlan map = SourceStage(0, 0);
  map.sinks = {1, 2};
  plan.stages = {map};
}

void MakeStateful(JobPlan& plan, std::size_t stage) {
  plan.stages[stage].stateful = true;
  plan.stages[stage].runs_empty = true;
  plan.checkpoint_interval_us = 4 * plan.batch_interval_us;
}

void AddTwoStates(JobPlan& plan) {
  StagePlan map = SourceStage(0, 0);
  map.shuffles = {1};
  StagePlan first = ShuffleStage(1, 1, 2, {0});
  first.sinks = {2};
  first.shuffles = {3};
  StagePlan second = ShuffleStage(2, 3, 3, {1});
  second.sinks = {4};
  plan.stages = {map, first, second};
  MakeStateful(plan, 1);
  MakeStateful(plan, 2);
}

void AddStateInTheMiddle(JobPlan& plan) {
  StagePlan left = SourceStage(0, 0), right = SourceStage(1, 1);
  left.shuffles = right.shuffles = {2};
  StagePlan merge = ShuffleStage(2, 2, 2, {0, 1});
  merge.shuffles = {3};
  StagePlan state = ShuffleStage(3, 3, 2, {2});
  state.shuffles = {4};
  StagePlan last = ShuffleStage(4, 4, 2, {3});
  last.sinks = {5};
  plan.stages = {left, right, merge, state, last};
  MakeStateful(plan, 3);
}

}  // namespace

JobPlan MakePlan(std::size_t shape, bool bounded, std::int64_t batch_interval_us) {
  JobPlan plan;
  plan.name = Concat("shape-", shape);
  plan.batch_interval_us = batch_interval_us;
  plan.sources.push_back(
      {.op = 0, .connector = "simulated", .description = "", .bounded = bounded, .replayable = true});
  switch (shape) {
    case 0:
      AddOneShuffle(plan, false);
      break;
    case 1:
      AddTwoSinks(plan);
      break;
    case 2:
      AddTwoShuffles(plan, false);
      break;
    case 3:
      AddOneShuffle(plan, true);
      break;
    case 4:
      AddTwoShuffles(plan, true);
      break;
    case 6:
      AddOneShuffle(plan, false);
      MakeStateful(plan, 1);
      break;
    case 7:
      AddTwoStates(plan);
      break;
    case 8:
      AddStateInTheMiddle(plan);
      break;
    default:
      AddSinkOnly(plan);
      break;
  }
  MarkKeptStages(plan);
  if (plan.stages.size() >= 4)
    plan.sources.push_back(
        {.op = 1, .connector = "simulated", .description = "", .bounded = bounded, .replayable = true});
  return plan;
}

std::uint64_t IndexOf(const std::string& position) { return std::stoull(position); }

Records RecordsOf(const SplitKey& split, std::uint64_t start, std::uint64_t end) {
  std::uint64_t salt = Mix(split.source + 1);
  for (const char c : split.split) salt = Mix(salt ^ static_cast<unsigned char>(c));
  Records records;
  for (std::uint64_t i = start; i < end; ++i) records.push_back(Mix(salt ^ (i * 7919)));
  return records;
}

Records Transform(std::uint32_t stage, const Records& input) {
  Records output;
  for (const Record record : input) output.push_back(Mix(record ^ (stage + 17)));
  return output;
}

Record NextState(Record state, const Records& input) {
  Record next = Mix(state + 1);
  for (const Record record : input) next = Mix(next * 31 + record);
  return next;
}

Records TransformWithState(std::uint32_t stage, const Records& input, Record state) {
  Records output = Transform(stage, input);
  for (Record& record : output) record ^= state;
  output.push_back(state);
  return output;
}

Records PartOf(const Records& output, std::uint32_t shuffle, std::uint32_t partition, std::uint32_t partitions) {
  Records part;
  for (const Record record : output) {
    if (Mix(record + shuffle) % partitions == partition) part.push_back(record);
  }
  return part;
}

Output Summarize(const Records& records) {
  Output output{records.size(), 1};
  for (const Record record : records) output.digest = Mix(output.digest * 31 + record);
  return output;
}

std::map<TaskKey, Output> ExpectedOutputs(const JobPlan& plan, const std::vector<Range>& ranges, States& states) {
  const Go go{1, 0, ranges, RangesHash(ranges)};
  const std::vector<bool> runs = RunningStages(plan, ranges);
  std::map<TaskKey, Records> made;
  for (const StagePlan& stage : plan.stages) {
    if (!runs[stage.id]) continue;
    if (stage.reads_source) {
      for (const Range& range : ranges) {
        if (range.key.source != stage.root || !RangeRuns(stage, range)) continue;
        made[{stage.id, range.ordinal}] =
            Transform(stage.id, RecordsOf(range.key, IndexOf(range.start), IndexOf(range.end)));
      }
      continue;
    }
    for (std::uint32_t p = 0; p < stage.partitions; ++p) {
      Records input;
      for (const NeededBlock& block : NeededBlocks(plan, stage, go)) {
        const Records part = PartOf(made.at({block.stage, block.map_partition}), stage.root, p, stage.partitions);
        input.insert(input.end(), part.begin(), part.end());
      }
      if (stage.stateful) {
        Record& state = states[{stage.id, p}];
        state = NextState(state, input);
        made[{stage.id, p}] = TransformWithState(stage.id, input, state);
        continue;
      }
      made[{stage.id, p}] = Transform(stage.id, input);
    }
  }
  std::map<TaskKey, Output> outputs;
  for (const TaskKey task : SinkTasks(plan, ranges)) outputs[task] = Summarize(made.at(task));
  return outputs;
}

const StagePlan* StageOfShuffle(const JobPlan& plan, std::uint32_t shuffle) {
  for (const StagePlan& stage : plan.stages) {
    if (!stage.reads_source && stage.root == shuffle) return &stage;
  }
  return nullptr;
}

}  // namespace millrace::simulation
