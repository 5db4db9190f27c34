// How a job starts, is restored, stops and ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/driver/job/job_harness.h"

namespace millrace {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(JobLife, NoticeSaysWhatItWaitsFor) {
  JobHarness job;
  EXPECT_EQ(job.master.Notice(), "waiting for an executor to connect");
  job.runners.push_back(Only<StartRunner>(job.Step(ExecutorUp{"e1"})).runner);
  EXPECT_EQ(job.master.Notice(), "waiting for a runner to start");
  job.Step(RunnerUp{job.runners[0], ""});
  EXPECT_EQ(job.master.Notice(), "listing the sources' splits");
  job.List({"s0"});
  EXPECT_EQ(job.master.Notice(), "");
  EXPECT_EQ(job.master.state(), JobState::kRunning);
}

TEST(JobLife, SplitsAreListedWhileOtherRunnersStart) {
  JobHarness job;
  const std::string first = Only<StartRunner>(job.Step(ExecutorUp{"e1"})).runner;
  job.Step(ExecutorUp{"e2"});
  EXPECT_EQ(Only<SendEnumerate>(job.Step(RunnerUp{first, ""})).runner, first);
}

TEST(JobLife, TheLastRunnerIsWaitedForButNotForEver) {
  JobHarness job;
  job.runners.push_back(Only<StartRunner>(job.Step(ExecutorUp{"e1"})).runner);
  job.Step(ExecutorUp{"e2"});
  job.Step(RunnerUp{job.runners[0], ""});
  EXPECT_THAT(Of<SendWork>(job.List({"s0"})), IsEmpty());
  EXPECT_EQ(job.master.next_wakeup(), kNow + 3'000'000);
  EXPECT_THAT(Of<SendWork>(job.TickAt(kNow + 3'000'000)), SizeIs(1));
}

TEST(JobLife, ASourceThatCannotBeReachedIsShownAndWaitedFor) {
  JobHarness job;
  job.runners.push_back(Only<StartRunner>(job.Step(ExecutorUp{"e1"})).runner);
  job.Step(RunnerUp{job.runners[0], ""});
  SplitReport report;
  report.problem = "broker 127.0.0.1:9092: Connection refused";
  job.Step(SplitsReported{job.runners[0], report});
  EXPECT_EQ(job.master.Notice(), "Kafka at words.cc:7: broker 127.0.0.1:9092: Connection refused");
  job.TickAt(*job.master.next_wakeup());
  EXPECT_EQ(job.master.next_wakeup(), std::nullopt) << "it would be woken again and again";
  job.now += 60'000'000;
  EXPECT_THAT(Of<SendWork>(job.List({"s0"})), SizeIs(1));
  EXPECT_EQ(job.master.Notice(), "");
  job.Step(SplitsReported{job.runners[0], report});  // while running too
  EXPECT_EQ(job.master.Notice(), "Kafka at words.cc:7: broker 127.0.0.1:9092: Connection refused");
}

TEST(JobLife, ASourceThatDoesNotExistFailsTheJob) {
  JobHarness job;
  job.runners.push_back(Only<StartRunner>(job.Step(ExecutorUp{"e1"})).runner);
  job.Step(RunnerUp{job.runners[0], ""});
  SplitReport report;
  report.problem = "there is no topic 'lines'";
  report.permanent = true;
  const EndJob end = Only<EndJob>(job.Step(SplitsReported{job.runners[0], report}));
  EXPECT_EQ(end.state, JobState::kFailed);
  EXPECT_EQ(end.error, "Kafka at words.cc:7: there is no topic 'lines'");
}

TEST(JobLife, AGracefulStopLetsBatchesEndAndForgetsTheOpenCut) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(PlanDurable{1});
  EXPECT_THAT(job.Step(StopRequested{false}), IsEmpty());
  EXPECT_EQ(job.master.state(), JobState::kStopping);
  EXPECT_THAT(job.Report(2, {job.MakeRange("s0", 3, 4)}), IsEmpty());
  const Actions actions = job.Done(1);
  EXPECT_EQ(Only<AppendCommitted>(actions).batch, 1u);
  EXPECT_EQ(Only<EndJob>(actions).state, JobState::kStopped);
  EXPECT_EQ(Only<EndJob>(actions).error, "");
}

TEST(JobLife, AGracefulStopOfAnIdleJobEndsAtOnce) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  EXPECT_EQ(Only<EndJob>(job.Step(StopRequested{false})).state, JobState::kStopped);
  EXPECT_EQ(job.master.next_wakeup(), std::nullopt);
}

TEST(JobLife, AGracefulStopDoesNotWaitForEver) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(StopRequested{false});
  job.now += 1'000'000;
  job.Step(StopRequested{false});  // asked twice: the first deadline counts
  EXPECT_EQ(job.master.next_wakeup(), kNow + 30'000'000);
  EXPECT_EQ(Only<EndJob>(job.TickAt(kNow + 30'000'000)).state, JobState::kStopped);
}

TEST(JobLife, AStopNowEndsWithBatchesInFlight) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  const Actions actions = job.Step(StopRequested{true});
  EXPECT_EQ(Only<EndJob>(actions).state, JobState::kStopped);
  EXPECT_EQ(Only<StopRunner>(actions).runner, job.runners[0]);
}

TEST(JobLife, AJobThatHasNotBegunStopsAtOnce) {
  JobHarness job;
  EXPECT_EQ(Only<EndJob>(job.Step(StopRequested{false})).state, JobState::kStopped);
}

TEST(JobLife, ABoundedJobFinishesWhenEverySplitIsAtItsEnd) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.List({"s0", "s1"}, /*complete=*/true);
  job.Report(1, {job.MakeRange("s0", 0, 3, true)});
  EXPECT_THAT(Of<EndJob>(job.Step(PlanDurable{1})), IsEmpty());
  job.Done(1);
  job.Report(2, {job.MakeRange("s1", 0, 2, true)});
  EXPECT_THAT(Of<SendWork>(job.Step(PlanDurable{2})), SizeIs(1));
  const EndJob end = Only<EndJob>(job.Done(2));
  EXPECT_EQ(end.state, JobState::kFinished);
  EXPECT_EQ(job.master.committed_records(), 5u);
}

TEST(JobLife, ABoundedSourceWithoutSplitsFinishesAtOnce) {
  JobHarness job;
  job.runners.push_back(Only<StartRunner>(job.Step(ExecutorUp{"e1"})).runner);
  job.Step(RunnerUp{job.runners[0], ""});
  EXPECT_EQ(Only<EndJob>(job.List({}, /*complete=*/true)).state, JobState::kFinished);
}

JobSnapshot TwoPending() {
  JobSnapshot snapshot;
  snapshot.splits = {{{0, "s0"}, 0, "9", false}, {{0, "s1"}, 1, "4", true}};
  snapshot.last_batch = 8;
  snapshot.last_batch_time_us = kNow - 20'000;
  snapshot.committed = 6;
  snapshot.committed_records = 11;
  snapshot.pending = {
      {7, kNow - 20'000 - kInterval, {JobHarness::MakeRange("s0", 5, 8), {{0, "s1"}, 1, "2", "4", 2, true}}},
      {8, kNow - 20'000, {JobHarness::MakeRange("s0", 8, 9)}}};
  return snapshot;
}

TEST(JobLife, ARestoredJobGoesOnWhereTheJournalEnds) {
  const JobSnapshot snapshot = TwoPending();
  JobHarness job(OneShufflePlan(), {}, &snapshot, /*epoch=*/4);
  const Actions actions = job.Start({"e1"}, {"s0", "s1"});
  EXPECT_THAT(job.runners[0], testing::HasSubstr(".4."));
  EXPECT_THAT(Of<AppendSplits>(actions), IsEmpty());
  EXPECT_THAT(Only<SendRoute>(actions).route->splits, SizeIs(2));  // s1 is at its end, and batch 7 reads it
  const BatchWork work = Only<SendWork>(actions).work;
  ASSERT_THAT(work.go, SizeIs(2));
  EXPECT_EQ(work.go[0].batch, 7u);
  EXPECT_EQ(work.go[1].ranges_hash, RangesHash(snapshot.pending[1].ranges));
  EXPECT_EQ(work.committed, 6u);
  EXPECT_EQ(work.cut.batch, 9u);
  ASSERT_THAT(work.cut.splits, SizeIs(1));
  EXPECT_EQ(work.cut.splits[0].start, "9");
  job.Done(8);
  EXPECT_THAT(Of<AppendCommitted>(job.Done(7)), SizeIs(2));
  EXPECT_EQ(job.master.committed_records(), 17u);
}

TEST(JobLife, ASnapshotRestoresToItself) {
  const JobSnapshot snapshot = TwoPending();
  const JobMaster master("j-1", OneShufflePlan(), 4, {}, &snapshot);
  const JobSnapshot again = master.Snapshot();
  EXPECT_EQ(again.last_batch, snapshot.last_batch);
  EXPECT_EQ(again.last_batch_time_us, snapshot.last_batch_time_us);
  EXPECT_EQ(again.committed, snapshot.committed);
  EXPECT_EQ(again.committed_records, snapshot.committed_records);
  ASSERT_THAT(again.splits, SizeIs(2));
  EXPECT_EQ(again.splits[1].position, "4");
  EXPECT_TRUE(again.splits[1].finished);
  ASSERT_THAT(again.pending, SizeIs(2));
  EXPECT_EQ(again.pending[0].ranges, snapshot.pending[0].ranges);
}

TEST(JobLife, ARestoredBatchWithoutEffectsCommitsByItself) {
  JobSnapshot snapshot = TwoPending();
  snapshot.pending[1].ranges = {JobHarness::MakeRange("s0", 9, 9)};
  JobHarness job(OneShufflePlan(), {}, &snapshot);
  EXPECT_THAT(Only<SendWork>(job.Start({"e1"}, {"s0"})).work.go, SizeIs(1));
  EXPECT_EQ(Only<AppendCommitted>(job.Done(7)).batch, 7u);
  EXPECT_EQ(job.master.committed(), 8u);
}

TEST(JobLife, NewSplitsOfARestoredJobGetNewOrdinals) {
  const JobSnapshot snapshot = TwoPending();
  JobHarness job(OneShufflePlan(), {}, &snapshot);
  EXPECT_EQ(Only<AppendSplits>(job.Start({"e1"}, {"s0", "s2"})).added.at(0).ordinal, 2u);
}

// ---- runners of the driver before ----

Holding HoldingOf(const JobSnapshot& snapshot, std::uint64_t committed) {
  Holding holding;
  holding.route_version = (std::uint64_t{3} << 32) + 2;
  holding.committed = committed;
  holding.newest_go = 8;
  holding.newest_go_hash = RangesHash(snapshot.pending[1].ranges);
  holding.splits = {{0, "s0"}};
  holding.partitions = {{1, 1}};
  holding.peers = {"j-1.e1.3.1", "j-1.e2.3.2"};
  return holding;
}

TEST(JobLife, ARunnerOfTheDriverBeforeIsAdoptedWithWhatItHas) {
  const JobSnapshot snapshot = TwoPending();
  JobHarness job(OneShufflePlan(), {}, &snapshot, /*epoch=*/4);
  EXPECT_THAT(Of<StartRunner>(job.Step(RunnerFound{"e1", "j-1.e1.3.1"})), IsEmpty());
  const std::string fresh = Only<StartRunner>(job.Step(ExecutorUp{"e2"})).runner;
  job.Step(RunnerUp{fresh, "b:1"});
  const Actions actions = job.Step(RunnerUp{"j-1.e1.3.1", "a:1", HoldingOf(snapshot, 6)});
  const std::vector<SendRoute> routes = Of<SendRoute>(actions);
  ASSERT_THAT(routes, SizeIs(2));
  const Route& route = *routes[0].route;
  EXPECT_GT(route.version, std::uint64_t{4} << 32);
  for (const PartitionOwner& owner : route.partitions) {
    EXPECT_EQ(route.peers[owner.peer].runner, owner.key.partition == 1 ? "j-1.e1.3.1" : fresh);
  }
}

TEST(JobLife, TheOthersOfTheDriverBeforeAreWaitedFor) {
  const JobSnapshot snapshot = TwoPending();
  JobHarness job(OneShufflePlan(), {}, &snapshot, /*epoch=*/4);
  job.Step(RunnerFound{"e1", "j-1.e1.3.1"});
  EXPECT_THAT(Of<SendRoute>(job.Step(RunnerUp{"j-1.e1.3.1", "a:1", HoldingOf(snapshot, 6)})), IsEmpty());
  EXPECT_THAT(Of<SendRoute>(job.TickAt(kNow + 3'000'000)), SizeIs(1));
}

TEST(JobLife, WhatTheDriverBeforeHasSeenCommittedIsCommitted) {
  const JobSnapshot snapshot = TwoPending();
  JobHarness job(OneShufflePlan(), {}, &snapshot, /*epoch=*/4);
  job.Step(RunnerFound{"e1", "j-1.e1.3.1"});
  job.Step(RunnerUp{"j-1.e1.3.1", "a:1", HoldingOf(snapshot, 11)});  // 9 to 11 had no effects: their numbers are free
  EXPECT_EQ(job.master.committed(), 8u);
}

TEST(JobLife, ARunnerThatKnowsMoreThanTheJournalBeginsAnew) {
  const JobSnapshot snapshot = TwoPending();
  for (const bool other_ranges : {false, true}) {
    JobHarness job(OneShufflePlan(), {}, &snapshot, /*epoch=*/4);
    job.Step(RunnerFound{"e1", "j-1.e1.3.1"});
    Holding holding = HoldingOf(snapshot, 6);
    other_ranges ? ++holding.newest_go_hash : ++holding.newest_go;
    EXPECT_EQ(Only<StopRunner>(job.Step(RunnerUp{"j-1.e1.3.1", "a:1", holding})).runner, "j-1.e1.3.1");
    EXPECT_THAT(Of<StartRunner>(job.TickAt(kNow + 1'000'000)), SizeIs(1));
  }
}

}  // namespace
}  // namespace millrace
