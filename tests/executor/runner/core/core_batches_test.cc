// How a batch goes its way through one runner: cut, closed, computed, Go, committed, reported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/executor/runner/core/core_harness.h"

namespace millrace::runner {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(CoreBatches, ACutWithATimeIsArmedAndClosesWhenItIsDue) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"me", "me"});
  const Actions armed = core.Cut(1, {"s0"}, 5'000);
  const ArmCut arm = Only<ArmCut>(armed);
  EXPECT_EQ(arm.after_us, 5'000);
  ASSERT_THAT(arm.announced, SizeIs(1));
  EXPECT_THAT(Of<CloseRange>(armed), IsEmpty());
  const CloseRange close = Only<CloseRange>(core.Step(CutDue{1}));
  EXPECT_EQ(close.start, "0");
  EXPECT_EQ(close.split.split, "s0");
  EXPECT_EQ(close.ref.batch_time_us, 1'000);
  const CloseRange& announced = arm.announced.front();
  EXPECT_EQ(announced.split, close.split);
  EXPECT_EQ(announced.start, close.start);
  EXPECT_EQ(announced.ref.task, close.ref.task);
  EXPECT_EQ(announced.ref.batch_time_us, close.ref.batch_time_us);
  EXPECT_EQ(announced.ref.version, close.ref.version);
  EXPECT_THAT(core.Step(CutDue{1}), IsEmpty());
  EXPECT_THAT(core.Step(CutDue{9}), IsEmpty());
}

TEST(CoreBatches, RangesOfACutAreOneReport) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}, {"s1", "me"}}, {"me", "me"});
  const std::vector<CloseRange> closes = Of<CloseRange>(core.Cut(1, {"s0", "s1"}));
  ASSERT_THAT(closes, SizeIs(2));
  EXPECT_THAT(Of<ReportRanges>(core.Step(RangeClosed{closes[1].ref.attempt, "3", 3, false})), IsEmpty());
  const RangeReport report = Only<ReportRanges>(core.Step(RangeClosed{closes[0].ref.attempt, "2", 2, true})).report;
  EXPECT_EQ(report.batch, 1u);
  ASSERT_THAT(report.ranges, SizeIs(2));
  EXPECT_EQ(report.ranges[0].end, "3");
  EXPECT_TRUE(report.ranges[1].finished);
}

TEST(CoreBatches, AFailedCloseDoesNotHoldBackTheOthersRanges) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}, {"s1", "me"}}, {"me", "me"});
  const std::vector<CloseRange> closes = Of<CloseRange>(core.Cut(1, {"s0", "s1"}));
  core.Step(RangeClosed{closes[1].ref.attempt, "3", 3, false});
  const Actions actions = core.Step(TaskFailed{closes[0].ref.attempt, 0, "broker away", false});
  EXPECT_THAT(Only<ReportRanges>(actions).report.ranges, SizeIs(1));
  const TaskFailure failure = Only<ReportFailure>(actions).failure;
  EXPECT_EQ(failure.version, 1u);
  EXPECT_EQ(failure.error, "broker away");
  core.Route(2, {{"s0", "me"}, {"s1", "me"}}, {"me", "me"});
  const Actions again = core.Cut(1, {"s0"});
  EXPECT_EQ(Only<CloseRange>(again).split.split, "s0");
}

TEST(CoreBatches, ALateFailureOfAnEarlierCutDoesNotSilenceTheNext) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"me", "me"});
  const CloseRange first = Only<CloseRange>(core.Cut(1, {"s0"}));
  core.Cut(2, {"s0"});
  core.Step(TaskFailed{first.ref.attempt, 0, "broker away", false});
  core.Route(2, {{"s0", "me"}}, {"me", "me"});
  const CloseRange second = Only<CloseRange>(core.Go(1, {core.MakeRange("s1", 0, 1)}));  // 1 was closed elsewhere
  EXPECT_EQ(second.ref.batch, 2u);
  const Actions closed = core.Step(RangeClosed{second.ref.attempt, "4", 4, false});
  EXPECT_EQ(Only<ReportRanges>(closed).report.batch, 2u);
}

TEST(CoreBatches, ACutThatComesAgainReportsAgainAndClosesNothingTwice) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"me", "me"});
  const CloseRange close = Only<CloseRange>(core.Cut(1, {"s0"}));
  EXPECT_THAT(core.Cut(1, {"s0"}), IsEmpty());
  core.CloseAndCompute(close, 0);  // an empty range leaves no task behind
  const Actions again = core.Cut(1, {"s0"});
  EXPECT_THAT(Only<ReportRanges>(again).report.ranges, SizeIs(1));
  EXPECT_THAT(Of<CloseRange>(again), IsEmpty());
}

TEST(CoreBatches, MappedBlocksArePushedAtOnceToTheReducersOwners) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"me", "you"});
  const PushBlocks push = Only<PushBlocks>(core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3));
  EXPECT_EQ(push.runner, "you");
  ASSERT_THAT(push.blocks, SizeIs(1));
  EXPECT_EQ(push.blocks[0].key.reduce_partition, 1u);
  EXPECT_EQ(push.blocks[0].input_hash, RangeHash(core.MakeRange("s0", 0, 3)));
}

TEST(CoreBatches, NothingIsComputedOfItBeforeGo) {
  CoreHarness core(TwoStages(/*source_sink=*/true));
  core.Route(1, {{"s0", "me"}}, {"me", "you"});
  const Actions actions = core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
  EXPECT_THAT(Of<CommitTask>(actions), IsEmpty());
  EXPECT_THAT(Of<RunReduce>(actions), IsEmpty());
  const Actions go = core.Go(1, {core.MakeRange("s0", 0, 3)});
  EXPECT_THAT(Of<CommitTask>(go), SizeIs(1));
  EXPECT_THAT(Of<RunReduce>(go), SizeIs(1));
}

TEST(CoreBatches, AReduceTakesItsBlocksInMapOrderAndByTheirInput) {
  CoreHarness core;
  const auto a = core.MakeRange("s0", 0, 3), b = core.MakeRange("s1", 0, 2);
  core.Route(1, {{"s0", "you"}, {"s1", "you"}}, {"me", "you"});
  core.Receive(1, 0, b);
  EXPECT_THAT(core.Go(1, {a, b}), IsEmpty());
  const RunReduce run = Only<RunReduce>(core.Receive(1, 0, a));
  ASSERT_THAT(run.inputs, SizeIs(2));
  EXPECT_EQ(run.inputs[0].key.map_partition, 0u);
  EXPECT_EQ(run.inputs[0].input_hash, RangeHash(a));
  EXPECT_EQ(run.inputs[1].input_hash, RangeHash(b));
  EXPECT_EQ(run.input_hash, RangesHash(std::vector{a, b}));
  EXPECT_EQ(run.ref.version, 1u);
}

TEST(CoreBatches, ABlockOfAnotherInputIsNotTakenAndHidesNone) {
  CoreHarness core;
  const auto planned = core.MakeRange("s0", 0, 3), other = core.MakeRange("s0", 0, 5);
  core.Route(1, {{"s0", "you"}}, {"me", "you"});
  core.Receive(1, 0, other);
  EXPECT_THAT(core.Go(1, {planned}), IsEmpty());
  const RunReduce run = Only<RunReduce>(core.Receive(1, 0, planned));
  EXPECT_EQ(run.inputs.at(0).input_hash, RangeHash(planned));

  core.Receive(2, 0, planned);
  core.Receive(2, 0, other);  // late, after the good one
  core.Step(TaskComputed{run.ref.attempt, {}, 0});
  EXPECT_EQ(Only<RunReduce>(core.Go(2, {planned})).inputs.at(0).input_hash, RangeHash(planned));
}

TEST(CoreBatches, DoneOfAllItsTasksIsOneReport) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "you"}}, {"me", "me"});
  core.Receive(1, 0, range);
  core.Receive(1, 1, range);
  const std::vector<RunReduce> runs = Of<RunReduce>(core.Go(1, {range}));
  ASSERT_THAT(runs, SizeIs(2));
  const CommitTask first = Only<CommitTask>(core.Step(TaskComputed{runs[0].ref.attempt, {}, 0}));
  const CommitTask second = Only<CommitTask>(core.Step(TaskComputed{runs[1].ref.attempt, {}, 0}));
  EXPECT_THAT(Of<ReportDone>(core.Step(TaskCommitted{second.ref.attempt})), IsEmpty());
  const Actions actions = core.Step(TaskCommitted{first.ref.attempt});
  EXPECT_THAT(Only<ReportDone>(actions).done.tasks, testing::ElementsAre(TaskKey{1, 0}, TaskKey{1, 1}));
  EXPECT_EQ(Only<DropTask>(actions).attempt, first.ref.attempt);
}

TEST(CoreBatches, AGoThatComesAgainReportsAgainAndRunsNothing) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "you"}}, {"me", "you"});
  core.Receive(1, 0, range);
  const RunReduce run = Only<RunReduce>(core.Go(1, {range}));
  EXPECT_THAT(core.Go(1, {range}), IsEmpty());
  core.Step(TaskComputed{run.ref.attempt, {}, 0});
  core.Step(TaskCommitted{run.ref.attempt});
  const Actions again = core.Go(1, {range});
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_THAT(Only<ReportDone>(again).done.tasks, SizeIs(1));
}

TEST(CoreBatches, CommitsAreInBatchOrder) {
  CoreHarness core;
  const auto first = core.MakeRange("s0", 0, 3), second = core.MakeRange("s0", 3, 4);
  core.Route(1, {{"s0", "you"}}, {"me", "you"});
  core.Receive(1, 0, first);
  core.Receive(2, 0, second);
  const RunReduce one = Only<RunReduce>(core.Go(1, {first}));
  EXPECT_THAT(core.Go(2, {second}), IsEmpty());  // one at a time
  const Actions computed = core.Step(TaskComputed{one.ref.attempt, {}, 0});
  const RunReduce two = Only<RunReduce>(computed);
  EXPECT_EQ(Only<CommitTask>(computed).ref.batch, 1u);
  EXPECT_THAT(core.Step(TaskComputed{two.ref.attempt, {}, 0}), IsEmpty());
  EXPECT_EQ(Only<CommitTask>(core.Step(TaskCommitted{one.ref.attempt})).ref.batch, 2u);
}

TEST(CoreBatches, AGoWithAnotherRangeMakesItReadThatRange) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"you", "you"});
  const CloseRange close = Only<CloseRange>(core.Cut(1, {"s0"}));
  core.CloseAndCompute(close, 3);
  const auto planned = core.MakeRange("s0", 0, 5);
  const Actions actions = core.Go(1, {planned});
  EXPECT_EQ(Only<DropTask>(actions).attempt, close.ref.attempt);
  const ReadRange read = Only<ReadRange>(actions);
  EXPECT_EQ(read.range, planned);
  const PushBlocks push = Only<PushBlocks>(core.Step(TaskComputed{read.ref.attempt, core.Blocks(1, planned), 0}));
  EXPECT_EQ(push.blocks.at(0).input_hash, RangeHash(planned));
}

TEST(CoreBatches, AGoForARangeThatIsStillBeingClosedWaitsForTheWorker) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"you", "you"});
  const CloseRange close = Only<CloseRange>(core.Cut(1, {"s0"}));
  const Actions go = core.Go(1, {core.MakeRange("s0", 0, 5)});
  EXPECT_THAT(Of<ReadRange>(go), IsEmpty());
  EXPECT_THAT(core.Step(RangeClosed{close.ref.attempt, "3", 3, false}), IsEmpty());
  const Actions freed = core.Step(TaskComputed{close.ref.attempt, core.Blocks(1, core.MakeRange("s0", 0, 3)), 0});
  EXPECT_THAT(Of<PushBlocks>(freed), IsEmpty());
  EXPECT_EQ(Only<ReadRange>(freed).range.end, "5");
}

TEST(CoreBatches, ARangeThatGoDoesNotNameIsDropped) {
  CoreHarness core(TwoStages(/*source_sink=*/true));
  core.Route(1, {{"s0", "me"}, {"s1", "you"}}, {"you", "you"});
  const CloseRange close = Only<CloseRange>(core.Cut(1, {"s0"}));
  core.CloseAndCompute(close, 3);
  const Actions go = core.Go(1, {core.MakeRange("s0", 0, 0), core.MakeRange("s1", 0, 1)});
  EXPECT_EQ(Only<DropTask>(go).attempt, close.ref.attempt);
  EXPECT_THAT(Of<CommitTask>(go), IsEmpty());
  EXPECT_EQ(core.core.tasks(), 0u);
}

TEST(CoreBatches, BlocksOfAnEmptyRangeGoNowhere) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"you", "you"});
  const Actions actions = core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 0);
  EXPECT_THAT(Of<ReportRanges>(actions), SizeIs(1));
  EXPECT_THAT(Of<PushBlocks>(actions), IsEmpty());
  EXPECT_EQ(core.core.tasks(), 0u);
  EXPECT_THAT(core.Step(PeerReconnected{"you"}), IsEmpty());
}

TEST(CoreBatches, WhatIsCommittedIsForgotten) {
  CoreHarness core;
  const auto range = core.MakeRange("s0", 0, 3);
  core.Route(1, {{"s0", "me"}}, {"me", "you"});
  core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
  const RunReduce run = Only<RunReduce>(core.Go(1, {range}));
  const Actions actions = core.Committed(1);
  EXPECT_EQ(Only<DropBlocks>(actions).through, 1u);
  EXPECT_THAT(Of<DropTask>(actions), SizeIs(2));
  EXPECT_EQ(core.core.tasks(), 0u);
  EXPECT_THAT(core.Committed(1), IsEmpty());
  EXPECT_THAT(core.Go(1, {range}), IsEmpty());
  EXPECT_THAT(core.Cut(1, {"s0"}), IsEmpty());
  EXPECT_THAT(core.Receive(1, 0, range), IsEmpty());
  EXPECT_THAT(Of<CommitTask>(core.Step(TaskComputed{run.ref.attempt, {}, 0})), IsEmpty());
  EXPECT_THAT(core.Step(PeerReconnected{"you"}), IsEmpty());
}

TEST(CoreBatches, LostRecordsAreReported) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"you", "you"});
  const ReadRange read = Only<ReadRange>(core.Go(1, {core.MakeRange("s0", 0, 5)}));
  const BatchDone done = Only<ReportDone>(core.Step(TaskComputed{read.ref.attempt, {}, 4})).done;
  EXPECT_EQ(done.lost_records, 4u);
  EXPECT_THAT(done.tasks, IsEmpty());
}

}  // namespace
}  // namespace millrace::runner
