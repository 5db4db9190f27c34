#include "common/dataflow/job_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Range MakeRange(std::uint32_t source, std::uint32_t ordinal, std::uint64_t records, std::string split = "s") {
  return {{source, split}, ordinal, "0", records == 0 ? "0" : "9", records, false};
}

// Sources 0 and 1 → shuffle 2 (two partitions) → shuffle 3 (one partition) → sink; source 1 has a sink in its stage
// too.
JobPlan Union() {
  JobPlan plan;
  StagePlan left, right, middle, last;
  left.id = 0, left.root = 0, left.reads_source = true, left.shuffles = {2};
  right.id = 1, right.root = 1, right.reads_source = true, right.shuffles = {2}, right.sinks = {5};
  middle.id = 2, middle.root = 2, middle.partitions = 2, middle.shuffles = {3}, middle.upstream = {0, 1};
  last.id = 3, last.root = 3, last.partitions = 1, last.sinks = {4}, last.upstream = {2};
  plan.stages = {left, right, middle, last};
  plan.operator_labels = {"Kafka at a.cc:1"};
  return plan;
}

TEST(JobPlan, AStageRunsWhenItsInputDoes) {
  const JobPlan plan = Union();
  EXPECT_THAT(RunningStages(plan, std::vector{MakeRange(0, 0, 0), MakeRange(1, 0, 0)}),
              ElementsAre(false, false, false, false));
  EXPECT_THAT(RunningStages(plan, std::vector{MakeRange(0, 0, 3), MakeRange(1, 0, 0)}),
              ElementsAre(true, false, true, true));
  EXPECT_THAT(RunningStages(plan, {}), ElementsAre(false, false, false, false));
}

TEST(JobPlan, AStageThatRunsEmptyAlwaysRunsAndSoDoesWhatFollows) {
  JobPlan plan = Union();
  plan.stages[2].runs_empty = true;
  EXPECT_THAT(RunningStages(plan, {}), ElementsAre(false, false, true, true));
  plan = Union();
  plan.stages[0].runs_empty = true;
  EXPECT_THAT(RunningStages(plan, {}), ElementsAre(false, false, false, false));  // no split, no task
  EXPECT_THAT(RunningStages(plan, std::vector{MakeRange(0, 0, 0)}), ElementsAre(true, false, true, true));
}

TEST(JobPlan, SinkTasksAreThoseThatRun) {
  const JobPlan plan = Union();
  EXPECT_THAT(SinkTasks(plan, std::vector{MakeRange(0, 0, 3), MakeRange(1, 0, 0), MakeRange(1, 1, 2, "t")}),
              ElementsAre(TaskKey{1, 1}, TaskKey{3, 0}));
  EXPECT_THAT(SinkTasks(plan, std::vector{MakeRange(0, 0, 0)}), IsEmpty());
}

TEST(JobPlan, BlocksAreNeededInTheOrderOfMapPartitions) {
  const JobPlan plan = Union();
  Go go{7, 0, {MakeRange(0, 1, 3, "b"), MakeRange(0, 0, 2, "a"), MakeRange(0, 2, 0, "c"), MakeRange(1, 0, 1)}, 0};
  go.ranges_hash = RangesHash(go.ranges);
  const std::vector<NeededBlock> needed = NeededBlocks(plan, plan.stages[2], go);
  ASSERT_THAT(needed, SizeIs(3));
  EXPECT_EQ(needed[0].stage, 0u);
  EXPECT_EQ(needed[0].map_partition, 0u);
  EXPECT_EQ(needed[0].input_hash, RangeHash(go.ranges[1]));
  EXPECT_EQ(needed[1].map_partition, 1u);
  EXPECT_EQ(needed[2].stage, 1u);
}

TEST(JobPlan, BlocksOfALaterStageAreNamedByAllRanges) {
  const JobPlan plan = Union();
  Go go{7, 0, {MakeRange(0, 0, 3)}, 0};
  go.ranges_hash = RangesHash(go.ranges);
  const std::vector<NeededBlock> needed = NeededBlocks(plan, plan.stages[3], go);
  ASSERT_THAT(needed, SizeIs(2));
  EXPECT_EQ(needed[0].input_hash, go.ranges_hash);
  EXPECT_EQ(needed[1].map_partition, 1u);
  go.ranges = {MakeRange(0, 0, 0)};
  EXPECT_THAT(NeededBlocks(plan, plan.stages[3], go), IsEmpty());
}

TEST(JobPlan, HashesTellInputsApart) {
  const Range base{{1, "ab"}, 0, "1", "23", 5, false};
  std::set<std::uint64_t> hashes{RangeHash(base)};
  for (const Range& other : {Range{{2, "ab"}, 0, "1", "23", 5, false}, Range{{1, "a"}, 0, "b1", "23", 5, false},
                             Range{{1, "ab"}, 0, "12", "3", 5, false}, Range{{1, "ab"}, 0, "1", "24", 5, false},
                             Range{{1, "ab1"}, 0, "", "23", 5, false}}) {
    EXPECT_TRUE(hashes.insert(RangeHash(other)).second) << other.key.split << " " << other.start << " " << other.end;
  }
  Range same = base;
  same.records = 6, same.ordinal = 3, same.finished = true;
  EXPECT_EQ(RangeHash(same), RangeHash(base));
  EXPECT_NE(RangesHash(std::vector{base, same}), RangesHash(std::vector{base}));
  EXPECT_NE(RangesHash({}), RangesHash(std::vector{base}));
}

TEST(JobPlan, LabelsAndStagesAreFoundByOperator) {
  const JobPlan plan = Union();
  EXPECT_EQ(plan.Label(0), "Kafka at a.cc:1");
  EXPECT_EQ(plan.Label(9), "operator 9");
  EXPECT_EQ(plan.StageOfSource(1)->id, 1u);
  EXPECT_EQ(plan.StageOfSource(2), nullptr);  // a shuffle
}

}  // namespace
}  // namespace millrace
