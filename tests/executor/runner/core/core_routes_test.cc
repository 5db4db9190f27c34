// What a runner does when partitions move, peers come back and tasks fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/executor/runner/core/core_harness.h"

namespace millrace::runner {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(CoreRoutes, ARouteThatIsNotNewerIsIgnored) {
  CoreHarness core;
  EXPECT_THAT(Of<UpdatePeers>(core.Route(2, {{"s0", "me"}}, {"me", "you"})), SizeIs(1));
  EXPECT_THAT(core.Route(2, {}, {"you", "you"}), IsEmpty());
  EXPECT_THAT(core.Route(1, {}, {"you", "you"}), IsEmpty());
  EXPECT_THAT(Of<CloseRange>(core.Cut(1, {"s0"})), SizeIs(1));
}

TEST(CoreRoutes, WhatIsLostIsReleased) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "me"}}, {"me", "you"});
  const CloseRange close = Only<CloseRange>(core.Cut(1, {"s0"}));
  core.CloseAndCompute(close, 3);
  const RunReduce run = Only<RunReduce>(core.Go(1, {range}));
  const Actions actions = core.Route(2, {{"s0", "you"}}, {"you", "you"});
  EXPECT_EQ(Only<ReleaseSplit>(actions).split.split, "s0");
  EXPECT_EQ(Only<ReleaseSinks>(actions).task, (TaskKey{1, 0}));
  const std::vector<DropTask> drops = Of<DropTask>(actions);
  ASSERT_THAT(drops, SizeIs(2));
  EXPECT_EQ(drops[0].attempt, close.ref.attempt);
  EXPECT_EQ(drops[1].attempt, run.ref.attempt);
  EXPECT_EQ(core.core.tasks(), 0u);
  // What a worker still answers for it is dropped, and commits nothing.
  const Actions late = core.Step(TaskComputed{run.ref.attempt, {}, 0});
  EXPECT_THAT(late, SizeIs(1));
  EXPECT_EQ(Only<DropTask>(late).attempt, run.ref.attempt);
  EXPECT_THAT(core.Go(1, {range}), IsEmpty());
}

JobPlan Replicated() {
  JobPlan plan = TwoStages();
  plan.stages[0].replicated = true;
  return plan;
}

TEST(CoreRoutes, ReplicatedBlocksGoToAnotherRunnerToo) {
  CoreHarness core(Replicated());
  core.Route(1, {{"s0", "me"}}, {"me", "me"});
  const PushBlocks push = Only<PushBlocks>(core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3));
  EXPECT_EQ(push.runner, "you");
  EXPECT_THAT(push.blocks, SizeIs(2));
  EXPECT_THAT(Only<PushBlocks>(core.Step(PeerReconnected{"you"})).blocks, SizeIs(2));
}

TEST(CoreRoutes, ATaskWhoseBlocksAreHereAsCopiesDoesNotRunAgain) {
  CoreHarness core(Replicated());
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "you"}}, {"you", "you"});
  core.Receive(1, 0, range);
  core.Receive(1, 1, range);
  core.Route(2, {{"s0", "me"}}, {"me", "you"});
  const Actions actions = core.Go(1, {range});
  EXPECT_THAT(Of<ReadRange>(actions), IsEmpty());
  EXPECT_THAT(Of<RunReduce>(actions), SizeIs(1));
  EXPECT_THAT(Only<PushBlocks>(actions).blocks, SizeIs(2));  // for the other reducer, and as copies
}

TEST(CoreRoutes, ATaskRunsAgainWhenOneCopyIsMissing) {
  CoreHarness core(Replicated());
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "you"}}, {"you", "you"});
  core.Receive(1, 0, range);
  core.Route(2, {{"s0", "me"}}, {"me", "me"});
  EXPECT_THAT(Of<ReadRange>(core.Go(1, {range})), SizeIs(1));
}

TEST(CoreRoutes, ASplitThatLeavesDuringACutDoesNotHoldBackTheReport) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}, {"s1", "me"}}, {"me", "me"});
  const std::vector<CloseRange> closes = Of<CloseRange>(core.Cut(1, {"s0", "s1"}));
  core.Step(RangeClosed{closes[0].ref.attempt, "3", 3, false});
  const Actions actions = core.Route(2, {{"s0", "me"}, {"s1", "you"}}, {"me", "me"});
  EXPECT_THAT(Only<ReportRanges>(actions).report.ranges, SizeIs(1));
}

TEST(CoreRoutes, ASplitThatComesDuringACutJoinsIt) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}, {"s1", "you"}}, {"me", "me"});
  const CloseRange first = Only<CloseRange>(core.Cut(1, {"s0"}));
  core.Step(RangeClosed{first.ref.attempt, "3", 3, false});
  core.Route(2, {{"s0", "me"}, {"s1", "me"}}, {"me", "me"});
  const CloseRange second = Only<CloseRange>(core.Cut(1, {"s1"}));
  EXPECT_EQ(second.split.split, "s1");
  EXPECT_EQ(second.ref.version, 2u);
  EXPECT_THAT(Only<ReportRanges>(core.Step(RangeClosed{second.ref.attempt, "1", 1, false})).report.ranges, SizeIs(2));
}

TEST(CoreRoutes, APartitionThatIsKeptKeepsItsVersionAndOneThatComesBackGetsANewOne) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}, {"s1", "me"}}, {"me", "me"});
  core.Route(2, {{"s0", "you"}, {"s1", "me"}}, {"me", "me"});
  core.Route(3, {{"s0", "me"}, {"s1", "me"}}, {"me", "me"});
  const std::vector<CloseRange> closes = Of<CloseRange>(core.Cut(1, {"s0", "s1"}));
  ASSERT_THAT(closes, SizeIs(2));
  EXPECT_EQ(closes[0].ref.version, 3u);
  EXPECT_EQ(closes[1].ref.version, 1u);
}

TEST(CoreRoutes, AReducerThatMovedGetsTheBlocksOfEveryBatchInFlight) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"me", "me"});
  core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
  core.Go(1, {core.MakeRange("s0", 0, 3)});
  core.CloseAndCompute(Only<CloseRange>(core.Cut(2, {"s0"})), 3);
  const PushBlocks push = Only<PushBlocks>(core.Route(2, {{"s0", "me"}}, {"me", "you"}));
  EXPECT_EQ(push.runner, "you");
  ASSERT_THAT(push.blocks, SizeIs(2));
  EXPECT_EQ(push.blocks[0].key.batch, 1u);
  EXPECT_EQ(push.blocks[1].key.reduce_partition, 1u);
  EXPECT_THAT(Of<PushBlocks>(core.Route(3, {{"s0", "me"}}, {"me", "you"})), IsEmpty());  // it did not move again
}

TEST(CoreRoutes, AReducerThatCameTakesTheBlocksThatAreHere) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "me"}}, {"you", "you"});
  core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
  EXPECT_THAT(Of<RunReduce>(core.Go(1, {range})), IsEmpty());
  core.Route(2, {{"s0", "me"}}, {"me", "you"});
  EXPECT_THAT(Of<RunReduce>(core.Go(1, {range})), SizeIs(1));
}

TEST(CoreRoutes, APeerThatCameBackGetsWhatWasMadeForItAndNotWhatOthersMade) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}, {"s1", "you"}}, {"you", "me"});
  core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
  core.Receive(1, 1, core.MakeRange("s1", 0, 2));
  core.Receive(1, 0, core.MakeRange("s1", 0, 2));
  const PushBlocks push = Only<PushBlocks>(core.Step(PeerReconnected{"you"}));
  ASSERT_THAT(push.blocks, SizeIs(1));
  EXPECT_EQ(push.blocks[0].key.reduce_partition, 0u);
  EXPECT_EQ(push.blocks[0].key.map_partition, 0u);
  EXPECT_THAT(core.Step(PeerReconnected{"nobody"}), IsEmpty());
}

TEST(CoreRoutes, ANewOwnerReadsThePlannedRangeAgain) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "you"}}, {"you", "you"});
  EXPECT_THAT(core.Go(1, {range}), IsEmpty());
  core.Route(2, {{"s0", "me"}}, {"you", "you"});
  const ReadRange read = Only<ReadRange>(core.Go(1, {range}));
  EXPECT_EQ(read.range, range);
  EXPECT_EQ(read.ref.version, 2u);
}

TEST(CoreRoutes, AFailedTaskRunsAgainOnlyUnderANewerRoute) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "you"}}, {"me", "you"});
  core.Receive(1, 0, range);
  const RunReduce run = Only<RunReduce>(core.Go(1, {range}));
  const TaskFailure failure =
      Only<ReportFailure>(core.Step(TaskFailed{run.ref.attempt, 2, "not a number", true})).failure;
  EXPECT_EQ(failure.op, 2u);
  EXPECT_TRUE(failure.permanent);
  EXPECT_THAT(core.Go(1, {range}), IsEmpty());
  core.Route(2, {{"s0", "you"}}, {"me", "you"});
  const RunReduce again = Only<RunReduce>(core.Go(1, {range}));
  EXPECT_GT(again.ref.attempt, run.ref.attempt);
  EXPECT_EQ(again.ref.version, 1u);  // it never left
}

TEST(CoreRoutes, AFailedCommitIsTriedAgainWithTheSameOutput) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "you"}}, {"me", "you"});
  core.Receive(1, 0, range);
  const RunReduce run = Only<RunReduce>(core.Go(1, {range}));
  core.Step(TaskComputed{run.ref.attempt, {}, 0});
  EXPECT_THAT(Of<ReportFailure>(core.Step(TaskFailed{run.ref.attempt, 2, "fenced", false})), SizeIs(1));
  core.Route(2, {{"s0", "you"}}, {"me", "you"});
  const Actions again = core.Go(1, {range});
  EXPECT_THAT(Of<RunReduce>(again), IsEmpty());
  EXPECT_EQ(Only<CommitTask>(again).ref.attempt, run.ref.attempt);
}

TEST(CoreRoutes, AFailedMapReadsItsRangeAgain) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "me"}}, {"you", "you"});
  const CloseRange close = Only<CloseRange>(core.Cut(1, {"s0"}));
  core.Step(RangeClosed{close.ref.attempt, "3", 3, false});
  core.Step(TaskFailed{close.ref.attempt, 0, "out of memory", false});
  EXPECT_THAT(core.Go(1, {range}), IsEmpty());
  core.Route(2, {{"s0", "me"}}, {"you", "you"});
  EXPECT_EQ(Only<ReadRange>(core.Go(1, {range})).range, range);
}

TEST(CoreRoutes, AnEmptyRangeThatFailsHoldsNothingBack) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"you", "you"});
  const CloseRange close = Only<CloseRange>(core.Cut(1, {"s0"}));
  core.Step(RangeClosed{close.ref.attempt, "0", 0, false});
  const Actions failed = core.Step(TaskFailed{close.ref.attempt, 0, "out of memory", false});
  EXPECT_THAT(Of<ReportFailure>(failed), IsEmpty());
  EXPECT_THAT(Of<CloseRange>(core.Cut(2, {"s0"})), SizeIs(1));
}

TEST(CoreRoutes, ATaskOfABatchThatEndedWithoutItLetsTheNextOnesStart) {
  CoreHarness core;
  const auto first = core.MakeRange("s0", 0, 3), second = core.MakeRange("s0", 3, 4);
  core.Route(1, {{"s0", "you"}}, {"me", "you"});
  core.Go(1, {first});  // its block never comes
  core.Receive(2, 0, second);
  EXPECT_THAT(core.Go(2, {second}), IsEmpty());
  EXPECT_EQ(Only<RunReduce>(core.Committed(1)).ref.batch, 2u);
}

TEST(CoreRoutes, TheAnswerOfADroppedAttemptIsNotTakenForTheNewOne) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "you"}}, {"me", "you"});
  core.Receive(1, 0, range);
  const RunReduce old = Only<RunReduce>(core.Go(1, {range}));
  core.Route(2, {{"s0", "you"}}, {"you", "you"});
  core.Route(3, {{"s0", "you"}}, {"me", "you"});
  const RunReduce run = Only<RunReduce>(core.Go(1, {range}));
  EXPECT_NE(run.ref.attempt, old.ref.attempt);
  EXPECT_THAT(Of<CommitTask>(core.Step(TaskComputed{old.ref.attempt, {}, 0})), IsEmpty());
  EXPECT_THAT(Of<CommitTask>(core.Step(TaskComputed{run.ref.attempt, {}, 0})), SizeIs(1));
  EXPECT_THAT(core.Step(TaskCommitted{old.ref.attempt}), IsEmpty());
  EXPECT_THAT(core.Step(TaskFailed{4711, 0, "", false}), IsEmpty());
}

}  // namespace
}  // namespace millrace::runner
