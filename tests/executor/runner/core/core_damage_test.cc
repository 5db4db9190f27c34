// What a runner does when blocks that it holds turn out to be damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/executor/runner/core/core_harness.h"

namespace millrace::runner {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Split 0 is mine, split 1 the peer's; partition 0 of the reduce stage is mine. Everything is there, and it reduces.
struct Reducing {
  Reducing() {
    core.Route(1, {{"s0", "me"}, {"s1", "you"}}, {"me", "you"});
    core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
    core.Receive(1, 0, theirs);
    run = Only<RunReduce>(core.Go(1, {mine, theirs}));
  }
  Actions Lose(const millrace::Range& range) {
    return core.Step(BlocksLost{run.ref.attempt, {{{1, 1, 0, range.ordinal, 0}, RangeHash(range)}}});
  }
  CoreHarness core;
  const millrace::Range mine = core.MakeRange("s0", 0, 3);
  const millrace::Range theirs = core.MakeRange("s1", 5, 9);
  RunReduce run;
};

TEST(CoreDamage, ABlockOfAPeerIsAskedForAgain) {
  Reducing t;
  const Actions actions = t.Lose(t.theirs);
  const AskBlocks ask = Only<AskBlocks>(actions);
  EXPECT_EQ(ask.runner, "you");
  EXPECT_THAT(ask.blocks, SizeIs(1));
  EXPECT_THAT(Of<RunReduce>(actions), IsEmpty());
  EXPECT_THAT(Of<ReportFailure>(actions), IsEmpty()) << "the driver need not know";
  EXPECT_THAT(Of<RunReduce>(t.core.Receive(1, 1, t.theirs)), IsEmpty()) << "that is another partition's";
  const RunReduce again = Only<RunReduce>(t.core.Receive(1, 0, t.theirs));
  EXPECT_THAT(again.inputs, SizeIs(2));
  EXPECT_NE(again.ref.attempt, t.run.ref.attempt);
}

TEST(CoreDamage, ABlockMadeHereIsMadeAgain) {
  Reducing t;
  const Actions actions = t.Lose(t.mine);
  EXPECT_THAT(Of<AskBlocks>(actions), IsEmpty());
  const ReadRange read = Only<ReadRange>(actions);
  EXPECT_EQ(read.range.start, "0");
  EXPECT_EQ(read.range.end, "3");
  const Actions made = t.core.Step(TaskComputed{read.ref.attempt, t.core.Blocks(1, t.mine), 0});
  EXPECT_THAT(Only<RunReduce>(made).inputs, SizeIs(2));
}

TEST(CoreDamage, BothAtOnce) {
  Reducing t;
  const Actions actions = t.core.Step(
      BlocksLost{t.run.ref.attempt, {{{1, 1, 0, 0, 0}, RangeHash(t.mine)}, {{1, 1, 0, 1, 0}, RangeHash(t.theirs)}}});
  EXPECT_THAT(Of<AskBlocks>(actions), SizeIs(1));
  const ReadRange read = Only<ReadRange>(actions);
  EXPECT_THAT(Of<RunReduce>(t.core.Step(TaskComputed{read.ref.attempt, t.core.Blocks(1, t.mine), 0})), IsEmpty());
  EXPECT_THAT(Of<RunReduce>(t.core.Receive(1, 0, t.theirs)), SizeIs(1));
}

TEST(CoreDamage, ADiskThatDamagesEverythingIsAFailureOfTheTask) {
  Reducing t;
  for (int i = 0; i < 3; ++i) {
    t.Lose(t.theirs);
    t.run = Only<RunReduce>(t.core.Receive(1, 0, t.theirs));
  }
  const Actions actions = t.Lose(t.theirs);
  EXPECT_THAT(Only<ReportFailure>(actions).failure.error, HasSubstr("damaged 4 times"));
  EXPECT_THAT(Of<RunReduce>(t.core.Receive(1, 0, t.theirs)), IsEmpty());
}

TEST(CoreDamage, ABlockThatWasToBePushedIsMadeAgainAndPushed) {
  Reducing t;
  const ReadRange read = Only<ReadRange>(t.core.Step(BlocksLost{0, {{{1, 1, 0, 0, 1}, RangeHash(t.mine)}}}));
  const Actions made = t.core.Step(TaskComputed{read.ref.attempt, t.core.Blocks(1, t.mine), 0});
  const PushBlocks push = Only<PushBlocks>(made);
  EXPECT_EQ(push.runner, "you");
  ASSERT_THAT(push.blocks, SizeIs(1));
  EXPECT_EQ(push.blocks[0].key, (BlockKey{1, 1, 0, 0, 1}));
}

TEST(CoreDamage, BlocksOfBatchesThatAreOverAreNotMissed) {
  Reducing t;
  t.core.Committed(1);
  EXPECT_THAT(t.Lose(t.mine), IsEmpty());
}

TEST(CoreDamage, ABlockThatIsLostBeforeItsGoIsWaitedFor) {
  CoreHarness core;
  core.Route(1, {{"s1", "you"}}, {"me", "you"});
  const millrace::Range theirs = core.MakeRange("s1", 5, 9);
  core.Receive(1, 0, theirs);
  core.Step(BlocksLost{0, {{{1, 1, 0, 1, 0}, RangeHash(theirs)}}});
  EXPECT_THAT(Of<RunReduce>(core.Go(1, {theirs})), IsEmpty());
  EXPECT_THAT(Of<RunReduce>(core.Receive(1, 0, theirs)), SizeIs(1));
}

TEST(CoreDamage, ABlockThatWasOursToMakeAgainIsAskedOfTheNewMaker) {
  CoreHarness core;
  core.Route(1, {{"s0", "me"}}, {"me", "you"});
  const millrace::Range range = core.MakeRange("s0", 0, 3);
  core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
  const RunReduce run = Only<RunReduce>(core.Go(1, {range}));
  const MadeBlock block{{1, 1, 0, 0, 0}, RangeHash(range)};
  EXPECT_THAT(Of<ReadRange>(core.Step(BlocksLost{run.ref.attempt, {block}})), SizeIs(1)) << "made again here";
  const AskBlocks ask = Only<AskBlocks>(core.Route(2, {{"s0", "you"}}, {"me", "you"}));
  EXPECT_EQ(ask.runner, "you");
  ASSERT_THAT(ask.blocks, SizeIs(1));
  EXPECT_EQ(ask.blocks[0].key, block.key);
  EXPECT_THAT(Of<RunReduce>(core.Receive(1, 0, range)), SizeIs(1));
}

TEST(CoreDamage, ABlockAskedOfAMakerThatHasJustLostItsTaskIsAskedOfTheNewOne) {
  CoreHarness core;
  core.Route(1, {{"s0", "you"}}, {"me", "you"});
  const millrace::Range theirs = core.MakeRange("s0", 0, 3);
  core.Receive(1, 0, theirs);  // made by the new maker, whose route is not here yet
  const RunReduce run = Only<RunReduce>(core.Go(1, {theirs}));
  const MadeBlock block{{1, 1, 0, 0, 0}, RangeHash(theirs)};
  EXPECT_EQ(Only<AskBlocks>(core.Step(BlocksLost{run.ref.attempt, {block}})).runner, "you");
  const AskBlocks ask = Only<AskBlocks>(core.Route(2, {{"s0", "another"}}, {"me", "you"}));
  EXPECT_EQ(ask.runner, "another");
  ASSERT_THAT(ask.blocks, SizeIs(1));
  EXPECT_EQ(ask.blocks[0].key, block.key);
  EXPECT_THAT(Of<RunReduce>(core.Receive(1, 0, theirs)), SizeIs(1));
  EXPECT_THAT(Of<AskBlocks>(core.Route(3, {{"s0", "you"}}, {"me", "you"})), IsEmpty());
}

// source 0 → shuffle 1, with state → shuffle 2 → sink 3
JobPlan StateInTheMiddle() {
  JobPlan plan = TwoStages();
  plan.stages[1].sinks.clear();
  plan.stages[1].partitions = 1;
  plan.stages[1].shuffles = {2};
  plan.stages[1].stateful = plan.stages[1].runs_empty = true;
  StagePlan last;
  last.id = 2;
  last.root = 2;
  last.partitions = 1;
  last.sinks = {3};
  last.upstream = {1};
  plan.stages.push_back(last);
  plan.checkpoint_interval_us = plan.batch_interval_us * 4;
  MarkKeptStages(plan);
  return plan;
}

millrace::Route OneRunner(std::uint64_t version) {
  millrace::Route route;
  route.version = version;
  route.peers = {{"me", "a:1"}};
  route.splits = {{{0, "s0"}, 0, 0}};
  route.partitions = {{{1, 0}, 0}, {{2, 0}, 0}};
  return route;
}

TEST(CoreDamage, TheDriverHearsWhichFilesOfACheckpointAreDamaged) {
  CoreHarness core(StateInTheMiddle());
  millrace::Route route = OneRunner(1);
  route.checkpoint = 4;
  route.state[{1, 0}] = {{"j/base", 10, 1, true}};
  const RestoreState restore = Only<RestoreState>(core.Step(RouteReceived{route}));
  const Actions actions = core.Step(TaskFailed{restore.attempt, 1, "j/base is damaged", false, {"j/base"}});
  const TaskFailure failure = Only<ReportFailure>(actions).failure;
  EXPECT_THAT(failure.damaged, testing::ElementsAre("j/base"));
  EXPECT_EQ(failure.batch, 4u);
  EXPECT_EQ(failure.task, (TaskKey{1, 0}));
  EXPECT_FALSE(failure.permanent);
  route.version = 2;
  EXPECT_THAT(Of<RestoreState>(core.Step(RouteReceived{route})), SizeIs(1)) << "the next route tries again";
}

TEST(CoreDamage, AStateThatCannotBeSavedIsGivenUp) {
  CoreHarness core(StateInTheMiddle());
  core.Step(StateRestored{Only<RestoreState>(core.Step(RouteReceived{OneRunner(1)})).attempt});
  core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
  const RunReduce state = Only<RunReduce>(core.Go(1, {core.MakeRange("s0", 0, 3)}));
  BatchWork work;
  work.checkpoint = 1;
  core.Step(WorkReceived{work});
  const TakeState take = Only<TakeState>(core.Step(TaskComputed{state.ref.attempt, {}, 0}));
  core.Step(StateTaken{take.attempt});
  const Actions actions = core.Step(StateNotSaved{take.attempt, "j/base is damaged", {"j/base"}});
  EXPECT_THAT(Of<DropState>(actions), SizeIs(1));
  EXPECT_THAT(Only<ReportFailure>(actions).failure.damaged, testing::ElementsAre("j/base"));
  EXPECT_THAT(core.Step(StateNotSaved{take.attempt, "j/base is damaged", {"j/base"}}), testing::IsEmpty());
  EXPECT_THAT(Of<RestoreState>(core.Step(RouteReceived{OneRunner(2)})), SizeIs(1));
}

TEST(CoreDamage, ABlockMadeOfStateTakesTheStateBackToTheCheckpoint) {
  CoreHarness core(StateInTheMiddle());
  millrace::Route route;
  route.version = 1;
  route.peers = {{"me", "a:1"}};
  route.splits = {{{0, "s0"}, 0, 0}};
  route.partitions = {{{1, 0}, 0}, {{2, 0}, 0}};
  const millrace::Range range = core.MakeRange("s0", 0, 3);
  core.Step(StateRestored{Only<RestoreState>(core.Step(RouteReceived{route})).attempt});
  core.CloseAndCompute(Only<CloseRange>(core.Cut(1, {"s0"})), 3);
  const RunReduce state = Only<RunReduce>(core.Go(1, {range}));
  const MadeBlock made{{1, 2, 1, 0, 0}, RangesHash(std::vector{range})};
  const RunReduce last = Only<RunReduce>(core.Step(TaskComputed{state.ref.attempt, {made}, 0}));
  const Actions actions = core.Step(BlocksLost{last.ref.attempt, {made}});
  EXPECT_EQ(Only<DropState>(actions).task, (TaskKey{1, 0}));
  EXPECT_EQ(Only<ReportFailure>(actions).failure.task, (TaskKey{1, 0}));
  // The route after it brings the state back; the batch is computed again, and with it the block.
  route.version = 2;
  const RestoreState restore = Only<RestoreState>(core.Step(RouteReceived{route}));
  core.Step(StateRestored{restore.attempt});
  const RunReduce again = Only<RunReduce>(core.Go(1, {range}));
  EXPECT_EQ(again.ref.task, (TaskKey{1, 0}));
  EXPECT_EQ(Only<RunReduce>(core.Step(TaskComputed{again.ref.attempt, {made}, 0})).ref.task, (TaskKey{2, 0}));
}

}  // namespace
}  // namespace millrace::runner
