// What the job master does when tasks, runners and executors fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/driver/job/job_harness.h"

namespace millrace {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string OwnerIn(const Route& route, TaskKey task) {
  for (const PartitionOwner& owner : route.partitions) {
    if (owner.key == task) return route.peers[owner.peer].runner;
  }
  return {};
}

TEST(JobFailures, AFailedTaskGoesElsewhereUnderANewRoute) {
  JobHarness job;
  job.Start({"e1", "e2"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(PlanDurable{1});
  const Actions actions = job.Fail(1, {1, 0}, 1);
  const std::vector<SendRoute> routes = Of<SendRoute>(actions);
  ASSERT_THAT(routes, SizeIs(2));
  EXPECT_EQ(routes[0].route->version, job.Version(2));
  const std::string owner = OwnerIn(*routes[0].route, {1, 0});
  const Actions again = job.Fail(1, {1, 0}, 2);
  EXPECT_NE(OwnerIn(*Of<SendRoute>(again).at(0).route, {1, 0}), owner);
  for (const SendWork& work : Of<SendWork>(again)) EXPECT_THAT(work.work.go, SizeIs(1));
}

TEST(JobFailures, AFailureOfAnEarlierAttemptDoesNotCount) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Fail(1, {1, 0}, 1);
  EXPECT_THAT(job.Fail(1, {1, 0}, 1), IsEmpty());
  EXPECT_THAT(job.Fail(9, {1, 0}, 2), IsEmpty());   // a batch that is not there
  EXPECT_THAT(job.Fail(1, {77, 0}, 2), IsEmpty());  // a stage that is not there
  EXPECT_EQ(job.master.batches().retries(), 1u);
}

TEST(JobFailures, TheFourthFailureOfATaskEndsTheJobWithItsReason) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(PlanDurable{1});
  for (std::uint64_t version = 1; version <= 3; ++version)
    EXPECT_THAT(Of<EndJob>(job.Fail(1, {1, 1}, version)), IsEmpty());
  const Actions actions = job.Fail(1, {1, 1}, 4);
  const EndJob end = Only<EndJob>(actions);
  EXPECT_EQ(end.state, JobState::kFailed);
  EXPECT_EQ(end.error,
            "ReduceByKey at words.cc:9 failed in batch 1, partition 1 on e1 (attempt 4 of 4): key is not a number");
  EXPECT_THAT(Of<StopRunner>(actions), SizeIs(1));
  EXPECT_EQ(job.master.error(), end.error);
  EXPECT_THAT(job.Step(PlanDurable{1}), IsEmpty());
}

TEST(JobFailures, APermanentFailureEndsTheJobAtOnce) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  EXPECT_EQ(Only<EndJob>(job.Fail(1, {1, 1}, 1, /*permanent=*/true)).error,
            "ReduceByKey at words.cc:9 failed in batch 1, partition 1 on e1: key is not a number");
}

SendWork OnlyCut(const Actions& actions) {
  std::vector<SendWork> cuts = Of<SendWork>(actions);
  std::erase_if(cuts, [](const SendWork& send) { return send.work.cut.batch == 0; });
  EXPECT_THAT(cuts, SizeIs(1));
  return cuts.empty() ? SendWork{} : cuts.front();
}

TEST(JobFailures, ARangeThatCannotBeClosedIsAskedForElsewhere) {
  JobHarness job;
  const Actions started = job.Start({"e1", "e2"}, {"s0"});
  const SendWork first = OnlyCut(started);
  const SendWork again = OnlyCut(job.Fail(1, {0, 0}, 1));
  EXPECT_NE(again.runner, first.runner);
  EXPECT_EQ(again.work.cut.batch, 1u);
}

TEST(JobFailures, ACrashInUserCodeEndsTheJobAfterFourTimesInOneBatch) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  for (int i = 1; i <= 4; ++i) {
    const Actions actions = job.Step(RunnerLost{job.runners.back(), "killed by SIGSEGV", Crash{11, 1, 1}});
    if (i == 4) {
      EXPECT_EQ(Only<EndJob>(actions).error,
                "ReduceByKey at words.cc:9 crashed with SIGSEGV in batch 1, 4 times, last on e1. The job's code is at "
                "fault: run it "
                "under `millrace local` with gdb");
      return;
    }
    EXPECT_THAT(Of<EndJob>(actions), IsEmpty());
    job.runners.push_back(Only<StartRunner>(job.TickAt(*job.master.next_wakeup())).runner);
    job.Step(RunnerUp{job.runners.back(), ""});
  }
}

TEST(JobFailures, CrashesOfCommittedBatchesAreForgotten) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  for (std::uint64_t batch = 1; batch <= 8; ++batch) {
    EXPECT_THAT(Of<EndJob>(job.Step(RunnerLost{job.runners.back(), "killed", Crash{11, 1, batch}})), IsEmpty());
    job.runners.back() = Only<StartRunner>(job.TickAt(*job.master.next_wakeup())).runner;
    job.Step(RunnerUp{job.runners.back(), ""});
    const int at = static_cast<int>(batch);
    job.Live(batch, {job.MakeRange("s0", at - 1, at)});
  }
}

TEST(JobFailures, ALostRunnerIsStartedAgainAfterAWaitThatDoubles) {
  JobLimits limits;
  limits.attempts_max = 100;
  JobHarness job(OneShufflePlan(), limits);
  job.Start({"e1"}, {"s0"});
  std::set<std::string> ids{job.runners.back()};
  for (const std::int64_t wait : {100'000, 200'000, 400'000, 800'000, 1'600'000, 3'200'000, 5'000'000, 5'000'000}) {
    EXPECT_THAT(Of<StartRunner>(job.Step(RunnerLost{job.runners.back(), "gone", std::nullopt})), IsEmpty());
    EXPECT_EQ(job.master.next_wakeup(), job.now + wait);
    job.runners.back() = Only<StartRunner>(job.TickAt(job.now + wait)).runner;
    EXPECT_TRUE(ids.insert(job.runners.back()).second) << "an id must never be used again";
    EXPECT_THAT(job.runners.back(), HasSubstr("e1.3."));
  }
}

TEST(JobFailures, ARunnerThatFailsFourTimesInARowEndsTheJob) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  for (int i = 1; i <= 3; ++i) {
    EXPECT_THAT(Of<EndJob>(job.Step(RunnerLost{job.runners.back(), "cannot load libwords.so", std::nullopt})),
                IsEmpty());
    job.runners.back() = Only<StartRunner>(job.TickAt(*job.master.next_wakeup())).runner;
  }
  EXPECT_EQ(Only<EndJob>(job.Step(RunnerLost{job.runners.back(), "cannot load libwords.so", std::nullopt})).error,
            "the runner on e1 failed 4 times in a row, last: cannot load libwords.so");
}

TEST(JobFailures, ARunnerThatWasUpForAMinuteIsForgivenThoughTheJobIsIdle) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  for (int i = 0; i < 10; ++i) {
    job.now += 60'000'000;
    EXPECT_THAT(Of<EndJob>(job.Step(RunnerLost{job.runners.back(), "gone", std::nullopt})), IsEmpty());
    EXPECT_EQ(job.master.next_wakeup(), job.now + 100'000);
    job.runners.back() = Only<StartRunner>(job.TickAt(*job.master.next_wakeup())).runner;
    job.Step(RunnerUp{job.runners.back(), ""});
  }
}

TEST(JobFailures, ACommittedBatchForgivesTheRunnersThatAreUp) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  for (int i = 0; i < 10; ++i) {
    job.Step(RunnerLost{job.runners.back(), "gone", std::nullopt});
    EXPECT_EQ(job.master.next_wakeup(), job.now + 100'000);
    job.runners.back() = Only<StartRunner>(job.TickAt(*job.master.next_wakeup())).runner;
    job.Step(RunnerUp{job.runners.back(), ""});
    job.List({"s0"});
    job.Live(static_cast<std::uint64_t>(i) + 1, {job.MakeRange("s0", i, i + 1)});
  }
}

TEST(JobFailures, ALostExecutorsWorkGoesToTheOthers) {
  JobHarness job;
  job.Start({"e1", "e2"}, {"s0", "s1"});
  job.Report(1, {job.MakeRange("s0", 0, 3), job.MakeRange("s1", 0, 3)});
  job.Step(PlanDurable{1});
  const Actions actions = job.Step(ExecutorLost{"e1", "no heartbeat"});
  const SendRoute route = Only<SendRoute>(actions);
  EXPECT_EQ(route.runner, job.runners[1]);
  EXPECT_THAT(route.route->peers, ElementsAre(Field(&Peer::runner, job.runners[1])));
  EXPECT_THAT(route.route->splits, SizeIs(2));
  EXPECT_THAT(route.route->partitions, SizeIs(2));
  EXPECT_THAT(Only<SendWork>(actions).work.go, SizeIs(1));
  EXPECT_EQ(Only<SendEnumerate>(actions).runner, job.runners[1]);
  EXPECT_EQ(Only<SendEnumerate>(actions).resumed, Only<SendEnumerate>(actions).sources);
  EXPECT_THAT(Of<StartRunner>(job.TickAt(job.now + 10'000'000)), IsEmpty());
  EXPECT_THAT(Of<StartRunner>(job.Step(ExecutorUp{"e1"})), SizeIs(1));
}

TEST(JobFailures, EventsOfRunnersThatAreGoneDoNothing) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  EXPECT_THAT(job.Step(RunnerUp{"e1.2.1", "old"}), IsEmpty());
  EXPECT_THAT(job.Step(RunnerLost{"e1.2.1", "old", std::nullopt}), IsEmpty());
  EXPECT_THAT(job.Step(ExecutorLost{"e9", ""}), IsEmpty());
  SplitReport report;
  report.splits = {{"s7", "0"}};
  EXPECT_THAT(job.Step(SplitsReported{"e1.2.1", report}), IsEmpty());
}

TEST(JobFailures, ARunnerOnANewStreamIsToldEverythingAgain) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(PlanDurable{1});
  const Actions actions = job.Step(RunnerUp{job.runners[0], "new"});
  EXPECT_EQ(Only<SendEnumerate>(actions).runner, job.runners[0]);
  EXPECT_EQ(Only<SendRoute>(actions).route->peers.at(0).block_address, "new");
  const BatchWork work = Only<SendWork>(actions).work;
  EXPECT_THAT(work.go, SizeIs(1));
  EXPECT_EQ(work.cut.batch, 2u);
}

TEST(JobFailures, AfterAChangeOfOwnersEveryRunnerHearsOfTheCommit) {
  JobHarness job;
  job.Start({"e1", "e2"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(PlanDurable{1});
  job.Fail(1, {1, 0}, 1);
  EXPECT_THAT(Of<SendWork>(job.Done(1)), SizeIs(2));
  job.Report(2, {job.MakeRange("s0", 3, 4)});
  job.Step(PlanDurable{2});
  EXPECT_THAT(Of<SendWork>(job.Done(2)), SizeIs(2));  // its cut was open then
  job.Report(3, {job.MakeRange("s0", 4, 5)});
  job.Step(PlanDurable{3});
  EXPECT_THAT(Of<SendWork>(job.Done(3)), IsEmpty());
}

TEST(JobFailures, AFinishedSplitKeepsAnOwnerWhileABatchReadsIt) {
  JobHarness job;
  job.Start({"e1", "e2"}, {"s0", "s1"});
  job.Report(1, {job.MakeRange("s0", 0, 3, true), job.MakeRange("s1", 0, 0)});
  job.Step(PlanDurable{1});
  EXPECT_THAT(Only<SendRoute>(job.Step(ExecutorLost{"e1", ""})).route->splits, SizeIs(2));
  job.runners.front() = job.runners.back();
  job.Done(1);
  job.List({"s0", "s1", "s2"});
  EXPECT_THAT(Of<SendRoute>(job.Step(RunnerUp{job.runners[1], ""})).at(0).route->splits, SizeIs(2));  // s1 and s2
}

TEST(RunnerSet, AnExecutorThatDiesIsOneRunnerLost) {
  RunnerSet runners("j-1", 1);
  runners.AddExecutor(0, "e1");
  const std::string runner = runners.TakeDue(0).at(0).runner;
  ASSERT_TRUE(runners.MarkUp(0, runner, ""));
  runners.MarkLost(1, runner);                        // its stream broke first
  ASSERT_EQ(runners.TakeDue(10'000'000).size(), 1U);  // asked of an executor that is gone
  runners.RemoveExecutor("e1");
  EXPECT_EQ(runners.total_failures(), 1U);
}

}  // namespace
}  // namespace millrace
