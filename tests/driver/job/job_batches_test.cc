// How a batch goes its way: cut, planned, durable, done, committed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/driver/job/job_harness.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(JobBatches, FirstCutIsForTheNextBatchTimeAndNamesEverySplit) {
  JobHarness job;
  const Actions actions = job.Start({"e1"}, {"s0", "s1"});
  EXPECT_THAT(Only<AppendSplits>(actions).added, SizeIs(2));
  const Cut cut = Only<SendWork>(actions).work.cut;
  EXPECT_EQ(cut.batch, 1u);
  EXPECT_EQ(cut.batch_time_us, kNow - 20'000 + kInterval);
  EXPECT_EQ(cut.after_us, 80'000);
  ASSERT_THAT(cut.splits, SizeIs(2));
  EXPECT_EQ(cut.splits[0].start, "0");
  EXPECT_EQ(cut.splits[1].ordinal, 1u);
}

TEST(JobBatches, ARouteComesBeforeWork) {
  JobHarness job;
  const Actions actions = job.Start({"e1"}, {"s0"});
  std::size_t route = 99, work = 99;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (std::holds_alternative<SendRoute>(actions[i])) route = i;
    if (std::holds_alternative<SendWork>(actions[i])) work = i;
  }
  EXPECT_LT(route, work);
}

TEST(JobBatches, PlanWaitsForTheLastRange) {
  JobHarness job;
  job.Start({"e1"}, {"s0", "s1"});
  EXPECT_THAT(Of<AppendPlanned>(job.Report(1, {job.MakeRange("s0", 0, 3)})), IsEmpty());
  const PlannedBatch planned = Only<AppendPlanned>(job.Report(1, {job.MakeRange("s1", 0, 2)})).planned;
  EXPECT_EQ(planned.batch, 1u);
  ASSERT_THAT(planned.ranges, SizeIs(2));
  EXPECT_EQ(planned.ranges[1].ordinal, 1u);  // the driver's, not what the runner said
}

TEST(JobBatches, TheFirstAnswerIsThePlan) {
  JobHarness job;
  job.Start({"e1"}, {"s0", "s1"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Report(1, {job.MakeRange("s0", 0, 5)});
  const PlannedBatch planned = Only<AppendPlanned>(job.Report(1, {job.MakeRange("s1", 0, 0)})).planned;
  EXPECT_EQ(planned.ranges[0].end, "3");
}

TEST(JobBatches, RangesThatDoNotFitAreIgnored) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  EXPECT_THAT(job.Report(2, {job.MakeRange("s0", 0, 3)}), IsEmpty());  // another batch
  EXPECT_THAT(job.Report(1, {job.MakeRange("s0", 1, 3)}), IsEmpty());  // another start
  EXPECT_THAT(job.Report(1, {job.MakeRange("s9", 0, 3)}), IsEmpty());  // another split
  EXPECT_THAT(Of<AppendPlanned>(job.Report(1, {job.MakeRange("s0", 0, 3)})), SizeIs(1));
}

TEST(JobBatches, GoAndTheNextCutAreOneMessage) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.now += 80'500;
  EXPECT_THAT(Of<SendWork>(job.Report(1, {job.MakeRange("s0", 0, 3)})), IsEmpty());
  job.now += 1'000;
  const BatchWork work = Only<SendWork>(job.Step(PlanDurable{1})).work;
  ASSERT_THAT(work.go, SizeIs(1));
  EXPECT_EQ(work.go[0].batch, 1u);
  EXPECT_EQ(work.go[0].ranges_hash, RangesHash(work.go[0].ranges));
  EXPECT_EQ(work.cut.batch, 2u);
  EXPECT_EQ(work.cut.after_us, kInterval - 1'500);
  EXPECT_EQ(work.cut.splits.at(0).start, "3");
}

TEST(JobBatches, TheNextCutDoesNotWaitForTheJournalOnceItIsDue) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.now += 80'500;
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  const std::int64_t due = kNow + 80'000 + kInterval;
  EXPECT_EQ(job.master.next_wakeup(), due);
  const BatchWork work = Only<SendWork>(job.TickAt(due)).work;
  EXPECT_THAT(work.go, IsEmpty());
  EXPECT_EQ(work.cut.batch, 2u);
  EXPECT_EQ(work.cut.after_us, 0);
}

TEST(JobBatches, EveryRunnerHearsGo) {
  JobHarness job;
  job.Start({"e1", "e2"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  EXPECT_THAT(Of<SendWork>(job.Step(PlanDurable{1})), SizeIs(2));
}

TEST(JobBatches, CommitsWhenEveryTaskWithASinkIsDone) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(PlanDurable{1});
  EXPECT_THAT(job.Step(DoneReported{job.runners[0], {1, {{1, 0}}, 0}}), IsEmpty());
  EXPECT_THAT(job.Step(DoneReported{job.runners[0], {1, {{1, 0}}, 2}}), IsEmpty());  // repeated
  EXPECT_EQ(Only<AppendCommitted>(job.Step(DoneReported{job.runners[0], {1, {{1, 1}}, 0}})).batch, 1u);
  EXPECT_EQ(job.master.committed_records(), 3u);
  EXPECT_EQ(job.master.committed_records(0), 3u);
  EXPECT_EQ(job.master.lost_records(), 2u);
}

TEST(JobBatches, CommitsInOrder) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(PlanDurable{1});
  job.Report(2, {job.MakeRange("s0", 3, 4)});
  job.Step(PlanDurable{2});
  EXPECT_THAT(Of<AppendCommitted>(job.Done(2)), IsEmpty());
  EXPECT_THAT(Of<AppendCommitted>(job.Done(1)), SizeIs(2));
  EXPECT_EQ(job.master.committed(), 2u);
}

TEST(JobBatches, AnEmptyBatchNeedsNeitherJournalNorGo) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  const Actions actions = job.Report(1, {job.MakeRange("s0", 0, 0)});
  EXPECT_THAT(Of<AppendPlanned>(actions), IsEmpty());
  EXPECT_THAT(Of<AppendCommitted>(actions), IsEmpty());
  const BatchWork work = Only<SendWork>(actions).work;
  EXPECT_THAT(work.go, IsEmpty());
  EXPECT_EQ(work.cut.batch, 2u);
  EXPECT_EQ(work.committed, 1u);
  EXPECT_EQ(job.master.committed(), 1u);
}

TEST(JobBatches, AnEmptyBatchOfAStageThatRunsEmptyIsPlannedAndCommitted) {
  JobHarness job(OneShufflePlan(/*runs_empty=*/true));
  job.Start({"e1"}, {"s0"});
  EXPECT_THAT(Of<AppendPlanned>(job.Report(1, {job.MakeRange("s0", 0, 0)})), SizeIs(1));
  EXPECT_THAT(Only<SendWork>(job.Step(PlanDurable{1})).work.go, SizeIs(1));
  EXPECT_EQ(Only<AppendCommitted>(job.Done(1)).batch, 1u);
}

TEST(JobBatches, AnEmptyLastRangeIsPlanned) {
  JobHarness job;
  job.Start({"e1"}, {"s0", "s1"});
  const Actions actions = job.Report(1, {job.MakeRange("s0", 0, 0, /*finished=*/true), job.MakeRange("s1", 0, 0)});
  EXPECT_THAT(Of<AppendPlanned>(actions), SizeIs(1));  // that the split is at its end must be durable
  const Actions durable = job.Step(PlanDurable{1});
  EXPECT_EQ(Only<AppendCommitted>(durable).batch, 1u);
  EXPECT_THAT(Only<SendWork>(durable).work.cut.splits, ElementsAre(testing::Field(&CutSplit::key, SplitKey{0, "s1"})));
}

TEST(JobBatches, CutsWaitWhenTooManyBatchesArePending) {
  JobLimits limits;
  limits.pending_batches_max = 2;
  JobHarness job(OneShufflePlan(), limits);
  job.Start({"e1"}, {"s0"});
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  EXPECT_EQ(Only<SendWork>(job.Step(PlanDurable{1})).work.cut.batch, 2u);
  job.Report(2, {job.MakeRange("s0", 3, 4)});
  EXPECT_EQ(Only<SendWork>(job.Step(PlanDurable{2})).work.cut.batch, 0u);
  EXPECT_EQ(Only<SendWork>(job.Done(1)).work.cut.batch, 3u);
  EXPECT_EQ(job.master.batches().pending(), 1u);
}

TEST(JobBatches, WithoutSplitsABatchClosesByTheClock) {
  JobHarness job;
  EXPECT_EQ(Only<SendWork>(job.Start({"e1"}, {})).work.cut.batch, 0u);
  const std::int64_t due = kNow + 80'000;
  EXPECT_EQ(job.master.next_wakeup(), due);
  EXPECT_THAT(job.TickAt(due), IsEmpty());
  EXPECT_EQ(job.master.committed(), 1u);
  EXPECT_EQ(job.master.next_wakeup(), due + kInterval);
}

TEST(JobBatches, ALateBatchIsFollowedAtOnceByTheNext) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.now += 350'000;
  const Cut cut = Only<SendWork>(job.Report(1, {job.MakeRange("s0", 0, 0)})).work.cut;
  EXPECT_EQ(cut.after_us, 0);
  EXPECT_EQ(cut.batch_time_us, kNow - 20'000 + 2 * kInterval);
}

TEST(JobBatches, AfterALongTimeAwayTheMissedBatchTimesAreNotLived) {
  JobSnapshot snapshot;
  snapshot.splits = {{{0, "s0"}, 0, "7", false}};
  snapshot.last_batch = snapshot.committed = 5;
  snapshot.last_batch_time_us = kNow - 20'000 - 5'000 * kInterval;
  JobHarness job(OneShufflePlan(), {}, &snapshot);
  const Cut cut = Only<SendWork>(job.Start({"e1"}, {"s0"})).work.cut;
  EXPECT_EQ(cut.batch, 6u);
  EXPECT_EQ(cut.batch_time_us, kNow - 20'000);
  EXPECT_EQ(cut.splits.at(0).start, "7");
}

TEST(JobBatches, NewSplitsJoinTheNextCut) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  const Actions actions = job.List({"s0", "s1"});
  const AppendSplits added = Only<AppendSplits>(actions);
  ASSERT_THAT(added.added, SizeIs(1));
  EXPECT_EQ(added.added[0].ordinal, 1u);
  EXPECT_THAT(Only<SendWork>(actions).work.cut.splits, SizeIs(1));
  EXPECT_THAT(Only<SendWork>(job.Report(1, {job.MakeRange("s0", 0, 0)})).work.cut.splits, SizeIs(2));
}

TEST(JobBatches, FiguresTellWhatHappened) {
  JobHarness job;
  job.Start({"e1"}, {"s0"});
  job.now += 80'500;
  job.Report(1, {job.MakeRange("s0", 0, 3)});
  job.Step(PlanDurable{1});
  job.now += 2 * kInterval;
  job.Done(1);
  const std::vector<BatchFigures> figures = job.master.batches().figures();
  ASSERT_THAT(figures, SizeIs(1));
  EXPECT_EQ(figures[0].due_us, kNow + 80'000);
  EXPECT_EQ(figures[0].records, 3u);
  EXPECT_EQ(figures[0].committed_us, job.now);
  EXPECT_EQ(job.master.batches().late(), 1u);
}

}  // namespace
}  // namespace millrace
