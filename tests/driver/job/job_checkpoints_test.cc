// Checkpoints of a job's state: when they exist, what is kept of them, and what happens when a file of one is damaged.
#include <gmock/gmock.h>

#include "tests/driver/job/job_harness.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr TaskKey kOne{1, 0}, kTwo{1, 1};

// source 0 → shuffle 1 with state → sink 2, two partitions; a checkpoint every second batch.
JobPlan StatefulPlan() {
  JobPlan plan = OneShufflePlan(/*runs_empty=*/true);
  plan.checkpoint_interval_us = 2 * kInterval;
  plan.stages[1].stateful = true;
  MarkKeptStages(plan);
  return plan;
}

StateFile File(const std::string& name, bool base = false) { return {name, 100, 1, base}; }

class JobCheckpoints : public JobHarness {
 public:
  explicit JobCheckpoints(JobLimits limits = {}, JobPlan plan = StatefulPlan()) : JobHarness(std::move(plan), limits) {
    Start({"e1"}, {"s0"});
  }

  // The next batch, with one record.
  void Batch() {
    const auto batch = master.committed() + 1;
    const int from = static_cast<int>(batch) - 1;
    Live(batch, {MakeRange("s0", from, from + 1)});
  }
  Actions Saved(std::uint64_t batch, TaskKey task, StateChain chain) {
    return Step(StateReported{runners.back(), {batch, {{task, std::move(chain)}}, Version(1'000'000)}});
  }
  // Batches until a checkpoint is due, and the checkpoint, of these chains. Returns what was done when it was durable.
  Actions Checkpoint(const StateChain& one, const StateChain& two) {
    do Batch();
    while (master.committed() < master.checkpointed() + 2);
    const std::uint64_t batch = master.committed();
    Saved(batch, kOne, one);
    const auto appended = Of<AppendCheckpoint>(Saved(batch, kTwo, two));
    EXPECT_THAT(appended, SizeIs(1));
    Actions actions = Step(CheckpointDurable{batch});
    EXPECT_EQ(master.checkpointed(), batch);
    return actions;
  }
  // Three checkpoints: of batch 2 with the base "b1" of one partition, of 4 with a delta more, of 6 with another.
  void ThreeCheckpoints() {
    Checkpoint({File("j-1/b1", true)}, {File("j-1/c1", true)});
    Checkpoint({File("j-1/b1", true), File("j-1/d2")}, {File("j-1/c2", true)});
    Checkpoint({File("j-1/b1", true), File("j-1/d2"), File("j-1/d3")}, {File("j-1/c3", true)});
  }

  Actions Damaged(std::vector<std::string> names) { return DamagedAt(runners.back(), std::move(names)); }
  Actions DamagedAt(const std::string& runner, std::vector<std::string> names) {
    TaskFailure failure{master.checkpointed(), kOne, Version(1'000'000), 1, "j-1/d3 is damaged: a checksum", false};
    failure.damaged = std::move(names);
    return Step(FailureReported{runner, failure});
  }
  // The runner that takes the place of the one before.
  Actions NewRunner() {
    const auto started = Of<StartRunner>(TickAt(now + 200'000));
    EXPECT_THAT(started, SizeIs(1));
    runners.push_back(started.front().runner);
    return Step(RunnerUp{runners.back(), "b:2"});
  }
};

std::vector<std::uint64_t> GoesOf(const Actions& actions) {
  std::vector<std::uint64_t> batches;
  for (const SendWork& send : Of<SendWork>(actions)) {
    for (const Go& go : send.work.go) batches.push_back(go.batch);
  }
  return batches;
}

TEST(JobCheckpoints, WhatWasSavedBeforeAPartitionWentAndCameBackDoesNotCount) {
  JobCheckpoints job;
  job.Batch();
  job.Batch();
  job.Saved(2, kTwo, {File("j-1/c1", true)});
  job.Fail(2, kOne, 1);  // it is told to try again: under the second version of the route
  const auto late = [&](std::uint64_t version) {
    return Of<AppendCheckpoint>(
        job.Step(StateReported{job.runners.back(), {2, {{kOne, {File("j-1/b1", true)}}}, job.Version(version)}}));
  };
  job.Saved(2, kTwo, {File("j-1/c1", true)});
  EXPECT_THAT(late(1), IsEmpty());
  EXPECT_THAT(late(2), SizeIs(1));
}

TEST(JobCheckpoints, ASecondRunnerIsAskedBeforeACheckpointIsGivenUp) {
  JobCheckpoints job;
  job.ThreeCheckpoints();
  const Actions first = job.Damaged({"j-1/d3"});
  EXPECT_THAT(Of<PassedOver>(first), IsEmpty());
  EXPECT_EQ(Only<SendRoute>(first).route->checkpoint, 6u);
  EXPECT_EQ(job.master.checkpointed(), 6u);
}

TEST(JobCheckpoints, TheJobGoesOnFromTheCheckpointBefore) {
  JobCheckpoints job;
  job.ThreeCheckpoints();
  job.Batch();
  const std::string old = job.runners.back();
  job.Damaged({"j-1/d3"});
  const Actions actions = job.Damaged({"j-1/d3"});
  const PassedOver passed = Only<PassedOver>(actions);
  EXPECT_EQ(passed.checkpoint, 6u);
  EXPECT_EQ(passed.instead, 4u);
  EXPECT_THAT(passed.why, HasSubstr("j-1/d3 is damaged"));
  EXPECT_EQ(Only<StopRunner>(actions).runner, old);
  EXPECT_EQ(job.master.checkpoints_passed_over(), 1u);
  EXPECT_EQ(job.master.state(), JobState::kRunning);

  const Actions up = job.NewRunner();
  const Route& route = *Only<SendRoute>(up).route;
  EXPECT_EQ(route.checkpoint, 4u);
  EXPECT_THAT(route.state.at(kOne), ElementsAre(File("j-1/b1", true), File("j-1/d2")));
  EXPECT_THAT(GoesOf(up), ElementsAre(5, 6, 7));
  for (const SendWork& send : Of<SendWork>(up)) {
    EXPECT_EQ(send.work.committed, 7u) << "their outputs are there";
    EXPECT_EQ(send.work.checkpointed, 4u);
  }
}

TEST(JobCheckpoints, WhatTheOldRunnersStillSayOfDamageIsNotHeard) {
  JobCheckpoints job;
  job.ThreeCheckpoints();
  const std::string old = job.runners.back();
  job.Damaged({"j-1/d3"});
  job.Damaged({"j-1/d3"});
  job.NewRunner();
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Of<PassedOver>(job.DamagedAt(old, {"j-1/d2"})), IsEmpty());
  EXPECT_EQ(job.master.checkpointed(), 4u);
}

TEST(JobCheckpoints, ADamagedBaseLeadsBehindTheBase) {
  JobCheckpoints job;
  job.ThreeCheckpoints();
  job.Damaged({"j-1/b1"});
  EXPECT_EQ(Only<PassedOver>(job.Damaged({"j-1/b1"})).instead, 0u);  // all three stand on it: from the begin
  const Actions up = job.NewRunner();
  EXPECT_EQ(Only<SendRoute>(up).route->checkpoint, 0u);
  EXPECT_THAT(Only<SendRoute>(up).route->state, IsEmpty());
  EXPECT_THAT(GoesOf(up), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(JobCheckpoints, FurtherDamageLeadsFurtherBack) {
  JobCheckpoints job;
  job.ThreeCheckpoints();
  job.Damaged({"j-1/d3"});
  job.Damaged({"j-1/d3"});
  job.NewRunner();
  job.Damaged({"j-1/d2"});
  EXPECT_EQ(Only<PassedOver>(job.Damaged({"j-1/d2"})).instead, 2u);
}

TEST(JobCheckpoints, WithoutAnOlderOneTheJobEndsAndNamesTheFile) {
  JobCheckpoints job({.checkpoints_kept = 1});
  job.ThreeCheckpoints();
  job.Damaged({"j-1/d3"});
  const EndJob end = Only<EndJob>(job.Damaged({"j-1/d3"}));
  EXPECT_EQ(end.state, JobState::kFailed);
  EXPECT_THAT(end.error, HasSubstr("j-1/d3 is damaged: a checksum"));
  EXPECT_THAT(end.error, HasSubstr("driver.checkpoints_kept"));
}

TEST(JobCheckpoints, ASourceThatGivesNothingTwiceEndsTheJob) {
  JobPlan plan = StatefulPlan();
  plan.sources[0].replayable = false;
  JobCheckpoints job({}, plan);
  job.ThreeCheckpoints();
  job.Damaged({"j-1/d3"});
  const EndJob end = Only<EndJob>(job.Damaged({"j-1/d3"}));
  EXPECT_THAT(end.error, HasSubstr("j-1/d3 is damaged"));
  EXPECT_THAT(end.error, HasSubstr("Kafka at words.cc:7"));
}

TEST(JobCheckpoints, FilesOfThoseThatAreKeptAreNoGarbage) {
  JobCheckpoints job({.checkpoints_kept = 2});
  EXPECT_THAT(Of<SendWork>(job.Checkpoint({File("j-1/b1", true)}, {File("j-1/c1", true)})).front().work.garbage,
              IsEmpty());
  EXPECT_THAT(Of<SendWork>(job.Checkpoint({File("j-1/b2", true)}, {File("j-1/c2", true)})).front().work.garbage,
              IsEmpty());
  EXPECT_THAT(
      Of<SendWork>(job.Checkpoint({File("j-1/b2", true), File("j-1/d3")}, {File("j-1/c3", true)})).front().work.garbage,
      ElementsAre("j-1/b1", "j-1/c1"));
}

TEST(JobCheckpoints, WhatWasPassedOverIsGarbageWhenThereIsANewerOne) {
  JobCheckpoints job;
  job.ThreeCheckpoints();
  job.Damaged({"j-1/d3"});
  job.Damaged({"j-1/d3"});
  job.NewRunner();
  const Actions actions =
      job.Checkpoint({File("j-1/b1", true), File("j-1/d2"), File("j-1/e3")}, {File("j-1/f3", true)});
  EXPECT_THAT(Of<SendWork>(actions).front().work.garbage, ElementsAre("j-1/c3", "j-1/d3"));
}

TEST(JobCheckpoints, FilesThatMayBeNeededAreKnown) {
  JobCheckpoints job;
  EXPECT_THAT(job.master.checkpoints().Files(), IsEmpty());
  EXPECT_EQ(job.master.checkpoints().settled_through(), 0u);
  job.ThreeCheckpoints();
  EXPECT_EQ(job.master.checkpoints().settled_through(), 4u);
  EXPECT_THAT(job.master.checkpoints().Files(),
              ElementsAre("j-1/b1", "j-1/c1", "j-1/c2", "j-1/c3", "j-1/d2", "j-1/d3"));
  job.Batch();
  job.Batch();
  job.Saved(8, kOne, {File("j-1/b1", true), File("j-1/under-way")});
  EXPECT_TRUE(job.master.checkpoints().Files().contains("j-1/under-way"));
}

TEST(JobCheckpoints, AnotherDriverGoesOnFromWhereTheJournalSays) {
  JobCheckpoints job;
  job.ThreeCheckpoints();
  job.Damaged({"j-1/d3"});
  job.Damaged({"j-1/d3"});
  const JobSnapshot snapshot = job.master.Snapshot();
  EXPECT_EQ(snapshot.checkpoint.batch, 4u);
  ASSERT_THAT(snapshot.checkpoints_before, SizeIs(2));
  EXPECT_EQ(snapshot.checkpoints_before[0].batch, 2u);
  EXPECT_EQ(snapshot.checkpoints_before[1].batch, 0u);
  ASSERT_THAT(snapshot.pending, SizeIs(6));

  JobHarness next(StatefulPlan(), {}, &snapshot, 4);
  EXPECT_THAT(GoesOf(next.Start({"e1"}, {"s0"})), ElementsAre(5, 6));
}

TEST(JobCheckpoints, ARunnerThatStandsOnWhatWasPassedOverBeginsAnew) {
  JobCheckpoints job;
  job.ThreeCheckpoints();
  job.Damaged({"j-1/d3"});
  job.Damaged({"j-1/d3"});
  const JobSnapshot snapshot = job.master.Snapshot();
  for (const std::uint64_t let_go : {4u, 6u}) {
    JobHarness next(StatefulPlan(), {}, &snapshot, 4);
    next.Step(RunnerFound{"e1", "j-1.e1.3.1"});
    Holding holding;
    holding.route_version = next.Version(1) - (std::uint64_t{1} << 32);
    holding.newest_go = 6;
    holding.newest_go_hash = RangesHash(snapshot.pending.back().ranges);
    holding.let_go = let_go;
    EXPECT_THAT(Of<StopRunner>(next.Step(RunnerUp{"j-1.e1.3.1", "a:1", holding})), SizeIs(let_go == 6 ? 1 : 0));
  }
}

TEST(JobCheckpoints, FewerAreKeptWhenTheirBatchesAreMany) {
  JobCheckpoints job({.retained_ranges_max = 5});  // a batch counts for its range and one
  job.ThreeCheckpoints();
  const JobSnapshot snapshot = job.master.Snapshot();
  ASSERT_THAT(snapshot.checkpoints_before, SizeIs(1));
  EXPECT_EQ(snapshot.checkpoints_before[0].batch, 4u);
  EXPECT_THAT(snapshot.pending, SizeIs(2));
}

}  // namespace
}  // namespace millrace
