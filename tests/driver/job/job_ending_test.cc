// How a job ends and how an executor leaves it: what must be done first, and what must not wait.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/driver/job/job_harness.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Its source cannot be read twice.
JobPlan ReceiverPlan() {
  JobPlan plan = OneShufflePlan();
  plan.sources[0].replayable = false;
  plan.sources[0].receiver = true;
  plan.sources[0].connector = "socket";
  return plan;
}

JobPlan StatePlan() {
  JobPlan plan = OneShufflePlan();
  plan.stages[1].stateful = plan.stages[1].runs_empty = true;
  plan.checkpoint_interval_us = 100 * kInterval;
  MarkKeptStages(plan);
  return plan;
}

Actions Saved(JobHarness& job, std::uint64_t batch) {
  StateReport report{batch, {}, job.Version(1'000'000)};
  for (std::uint32_t p = 0; p < 2; ++p) report.chains[{1, p}] = {{Concat("j-1/", batch, "-", p), 1, 1, true}};
  Actions all;
  for (const std::string& runner : job.runners) {
    for (JobAction& action : job.Step(StateReported{runner, report})) all.push_back(std::move(action));
  }
  return all;
}

CutSplit CutOf(const Actions& actions) {
  for (const SendWork& work : Of<SendWork>(actions)) {
    if (!work.work.cut.splits.empty()) return work.work.cut.splits.front();
  }
  return {};
}

TEST(JobEnding, ADrainGoesOnUntilTheReceiversAreEmpty) {
  JobHarness job(ReceiverPlan());
  EXPECT_FALSE(CutOf(job.Start({"e1"}, {"s0"})).drain);
  EXPECT_THAT(Of<EndJob>(job.Step(StopRequested{false, true})), IsEmpty());
  EXPECT_EQ(job.master.state(), JobState::kStopping);
  EXPECT_THAT(job.master.Notice(), HasSubstr("1 receivers give what they hold"));
  // The batch that was open may have been closed before the receiver stopped: that it is empty says nothing.
  const Actions next = job.Report(1, {job.MakeRange("s0", 0, 0)});
  EXPECT_TRUE(CutOf(next).drain);
  job.Report(2, {job.MakeRange("s0", 0, 7)});
  const Actions durable = job.Step(PlanDurable{2});
  EXPECT_TRUE(CutOf(durable).drain);
  EXPECT_THAT(Of<EndJob>(job.Done(2)), IsEmpty());
  const Actions last = job.Report(3, {job.MakeRange("s0", 7, 7)});
  EXPECT_EQ(Only<EndJob>(last).state, JobState::kStopped);
  EXPECT_EQ(job.master.committed_records(), 7u);
}

TEST(JobEnding, ADrainWithoutReceiversIsAStop) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  EXPECT_THAT(Of<EndJob>(job.Step(StopRequested{false, true})), IsEmpty());
  const Actions durable = job.Step(PlanDurable{1});
  EXPECT_EQ(CutOf(durable).key.split, "") << "no new input";
  EXPECT_EQ(Only<EndJob>(job.Done(1)).state, JobState::kStopped);
}

TEST(JobEnding, TheDeadlineEndsItWhateverIsUnfinished) {
  JobHarness job(ReceiverPlan());
  job.Start({"e1"}, {"s0"});
  job.Step(StopRequested{false, true, 5'000'000});
  EXPECT_THAT(Of<EndJob>(job.TickAt(kNow + 4'000'000)), IsEmpty());
  job.Step(StopRequested{false, true, 3'000'000});  // asked again: from now on
  EXPECT_THAT(Of<EndJob>(job.TickAt(kNow + 6'000'000)), IsEmpty());
  EXPECT_EQ(Only<EndJob>(job.TickAt(kNow + 7'000'000)).state, JobState::kStopped);
}

TEST(JobEnding, StoppingWaitsForTheLastCheckpoint) {
  JobHarness job(StatePlan());
  job.Start({"e1"}, {"s0"});
  job.Live(1, {job.MakeRange("s0", 0, 3)});
  const Actions actions = job.Step(StopRequested{});
  EXPECT_EQ(Only<SendWork>(actions).work.checkpoint, 1u);
  EXPECT_THAT(job.master.Notice(), HasSubstr("checkpoint of batch 1"));
  EXPECT_EQ(Only<AppendCheckpoint>(Saved(job, 1)).checkpoint.batch, 1u);
  EXPECT_EQ(Only<EndJob>(job.Step(CheckpointDurable{1})).state, JobState::kStopped);
}

TEST(JobEnding, ASavepointIsOfTheNextBatch) {
  JobHarness job(StatePlan());
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(SavepointRequested{});
  EXPECT_THAT(Of<SendWork>(job.Step(PlanDurable{1})), SizeIs(1)) << "planned before, so it is not of this one";
  job.Done(1);
  job.Report(2, {job.MakeRange("s0", 3, 5)});
  EXPECT_EQ(Only<SendWork>(job.Step(PlanDurable{2})).work.checkpoint, 2u);
  job.Done(2);
  Saved(job, 2);
  job.Step(CheckpointDurable{2});
  EXPECT_EQ(job.master.checkpointed(), 2u);
  job.Report(3, {job.MakeRange("s0", 5, 6)});
  EXPECT_EQ(Only<SendWork>(job.Step(PlanDurable{3})).work.checkpoint, 0u) << "once";
}

TEST(JobEnding, ALeavingExecutorGivesUpItsPartitionsAndIsLetGoWhenTheBatchIsCommitted) {
  JobHarness job;
  job.Start({"e1", "e2"}, {"s0", "s1"});
  const Actions leaving = job.Step(ExecutorLeaving{"e1"});
  const Route& route = *Of<SendRoute>(leaving).back().route;
  ASSERT_THAT(route.peers, SizeIs(2)) << "its blocks may be asked for";
  for (const SplitOwner& owner : route.splits) EXPECT_EQ(route.peers[owner.peer].runner, job.runners[1]);
  for (const PartitionOwner& owner : route.partitions) EXPECT_EQ(route.peers[owner.peer].runner, job.runners[1]);
  EXPECT_THAT(Of<StopRunner>(leaving), IsEmpty()) << "a batch is open that it may have closed";
  job.Step(RangesReported{job.runners[0], {1, {job.MakeRange("s0", 0, 3)}}});
  job.Step(RangesReported{job.runners[1], {1, {job.MakeRange("s1", 0, 2)}}});
  EXPECT_THAT(Of<StopRunner>(job.Step(PlanDurable{1})), IsEmpty());
  const Actions done = job.Done(1);
  EXPECT_EQ(Only<StopRunner>(done).runner, job.runners[0]);
  EXPECT_THAT(Of<SendRoute>(done).back().route->peers, SizeIs(1));
  EXPECT_EQ(job.master.runners().total_failures(), 0u);
  EXPECT_THAT(Of<StartRunner>(job.TickAt(kNow + 60'000'000)), IsEmpty());
}

TEST(JobEnding, ItsReceiverIsEmptiedBeforeTheSplitMoves) {
  JobHarness job(ReceiverPlan());
  job.Start({"e1", "e2"}, {"s0"});
  const std::string owner = job.runners[0];
  const Actions leaving = job.Step(ExecutorLeaving{"e1"});
  const Route& route = *Of<SendRoute>(leaving).back().route;
  EXPECT_EQ(route.peers[route.splits.at(0).peer].runner, owner);
  job.Report(1, {job.MakeRange("s0", 0, 4)});
  EXPECT_TRUE(CutOf(job.Step(PlanDurable{1})).drain);
  job.Done(1);
  job.Report(2, {job.MakeRange("s0", 4, 6)});
  job.Step(PlanDurable{2});
  job.Done(2);
  const Actions empty = job.Report(3, {job.MakeRange("s0", 6, 6)});
  ASSERT_FALSE(Of<SendRoute>(empty).empty());
  const Route& moved = *Of<SendRoute>(empty).front().route;
  EXPECT_NE(moved.peers[moved.splits.at(0).peer].runner, owner);
  EXPECT_FALSE(CutOf(empty).drain) << "the new owner receives";
}

TEST(JobEnding, TheLastExecutorIsLetGoWhenAllIsDoneAndSaved) {
  JobHarness job(StatePlan());
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  const Actions leaving = job.Step(ExecutorLeaving{"e1"});
  EXPECT_THAT(Of<StopRunner>(leaving), IsEmpty());
  job.Step(PlanDurable{1});
  const Actions done = job.Done(1);
  EXPECT_EQ(CutOf(done).key.split, "") << "nobody could go on with a new batch";
  Saved(job, 1);
  EXPECT_THAT(Of<StopRunner>(job.Step(CheckpointDurable{1})), SizeIs(1));
  EXPECT_EQ(job.master.state(), JobState::kRunning);
  EXPECT_THAT(job.master.Notice(), HasSubstr("waiting for an executor"));
  EXPECT_THAT(Of<StartRunner>(job.Step(ExecutorUp{"e1"})), SizeIs(1)) << "it may come back";
}

}  // namespace
}  // namespace millrace
