// Control messages with a byte that has turned bad, given to the two cores as the daemons would give them: what cannot
// be read, or names what does not exist, is refused, and nothing of it ends the process. (On the wire TLS notices
// first.)
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/dataflow/wire.h"
#include "tests/driver/job/job_harness.h"
#include "tests/executor/runner/core/core_harness.h"

namespace millrace {
namespace {

// Every byte of the message, changed in a few ways; `take` gets those that can still be read.
template <class Message>
int ForEachDamage(const Message& message, const std::function<void(const Message&)>& take) {
  const google::protobuf::LogSilencer quiet;
  const std::string bytes = message.SerializeAsString();
  int read = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int mask : {0x01, 0x02, 0x08, 0x20, 0x40, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      Message got;
      if (!got.ParseFromString(damaged)) continue;
      SCOPED_TRACE(Concat("byte ", at, " mask ", mask, ": ", got.ShortDebugString()));
      take(got);
      ++read;
    }
  }
  return read;
}

JobPlan StatePlan() {
  JobPlan plan = OneShufflePlan();
  plan.stages[1].stateful = plan.stages[1].runs_empty = true;
  plan.checkpoint_interval_us = kInterval;
  MarkKeptStages(plan);
  return plan;
}

// A job with two runners in the middle of its second batch; it must go on after whatever it is told.
void Tell(const std::function<JobEvent(const std::string& runner)>& event) {
  JobHarness job(StatePlan(), {.attempts_max = 100});
  job.Start({"e1", "e2"}, {"s0"});
  job.Live(1, {job.MakeRange("s0", 0, 3)});
  job.Report(2, {job.MakeRange("s0", 3, 5)});
  job.Step(PlanDurable{2});
  job.Step(event(job.runners[0]));
  if (HasEnded(job.master.state())) return;  // a failure that was called permanent
  job.Done(2);
  job.TickAt(kNow + 10 * kInterval);
  job.Step(StopRequested{true});
}

TEST(DamagedMessages, OfRunnersDoNotEndTheDriver) {
  v1::RunnerMessage message;
  wire::ToProto(RangeReport{3, {JobHarness::MakeRange("s0", 5, 9)}}, message.mutable_ranges());
  EXPECT_GT(ForEachDamage<v1::RunnerMessage>(message,
                                             [](const v1::RunnerMessage& m) {
                                               Tell([&](const std::string& runner) {
                                                 return RangesReported{runner, wire::FromProto(m.ranges())};
                                               });
                                             }),
            0);
  BatchDone done{2, {{1, 0}, {1, 1}}, 1, {}};
  done.counts[{1, 0}][{1, "bad_records"}] = 7;
  wire::ToProto(done, message.mutable_done());
  ForEachDamage<v1::RunnerMessage>(message, [](const v1::RunnerMessage& m) {
    Tell([&](const std::string& runner) { return DoneReported{runner, wire::FromProto(m.done())}; });
  });
  wire::ToProto(TaskFailure{2, {1, 0}, (std::uint64_t{3} << 32) + 1, 1, "why", false}, message.mutable_failure());
  ForEachDamage<v1::RunnerMessage>(message, [](const v1::RunnerMessage& m) {
    Tell([&](const std::string& runner) { return FailureReported{runner, wire::FromProto(m.failure())}; });
  });
  wire::ToProto(SplitReport{0, {{"s0", "0"}, {"s1", "0"}}, "", false, false}, message.mutable_splits());
  ForEachDamage<v1::RunnerMessage>(message, [](const v1::RunnerMessage& m) {
    Tell([&](const std::string& runner) { return SplitsReported{runner, wire::FromProto(m.splits())}; });
  });
  StateReport state{2, {{{1, 0}, {{"a", 10, 2, true}}}, {{1, 1}, {{"b", 10, 2, true}}}}};
  wire::ToProto(state, message.mutable_state());
  ForEachDamage<v1::RunnerMessage>(message, [](const v1::RunnerMessage& m) {
    Tell([&](const std::string& runner) { return StateReported{runner, wire::FromProto(m.state())}; });
  });
}

TEST(DamagedMessages, OfARunnerFromBeforeDoNotEndTheDriver) {
  Holding holding;
  holding.route_version = (std::uint64_t{3} << 32) + 2;
  holding.committed = 6;
  holding.newest_go = 7;
  holding.splits = {{0, "s0"}};
  holding.partitions = {{1, 0}, {1, 1}};
  holding.peers = {"j-1.e1.3.1", "j-1.e2.3.2"};
  v1::Holding message;
  wire::ToProto(holding, &message);
  JobSnapshot snapshot;
  snapshot.splits = {{{0, "s0"}, 0, "9", false}};
  snapshot.last_batch = snapshot.committed = 7;
  snapshot.last_batch_time_us = kNow - kInterval;
  EXPECT_GT(ForEachDamage<v1::Holding>(message,
                                       [&](const v1::Holding& m) {
                                         JobHarness job(OneShufflePlan(), {}, &snapshot, 4);
                                         job.Step(RunnerFound{"e1", "j-1.e1.3.1"});
                                         job.Step(RunnerUp{"j-1.e1.3.1", "a:1", wire::FromProto(m)});
                                         job.TickAt(kNow + 10'000'000);
                                         job.Step(StopRequested{true});
                                       }),
            0);
}

// A runner in the middle of its second batch.
void Tell(const v1::RunnerCommand& command) {
  const JobPlan plan = runner::TwoStages();
  runner::CoreHarness core;
  core.Route(1, {{"s0", "me"}, {"s1", "you"}}, {"me", "you"});
  core.CloseAndCompute(runner::Only<runner::CloseRange>(core.Cut(1, {"s0"})), 3);
  core.Go(1, {core.MakeRange("s0", 0, 3)});
  if (command.has_route()) {
    const auto route = wire::FromProto(command.route());
    if (route.ok() && wire::Check(*route, plan).ok()) core.Step(runner::RouteReceived{*route});
  }
  if (command.has_work()) {
    const BatchWork work = wire::FromProto(command.work());
    if (wire::Check(work, plan).ok()) core.Step(runner::WorkReceived{work});
  }
  core.Step(runner::CutDue{2});
  core.Receive(1, 0, core.MakeRange("s1", 0, 2));
  core.Step(runner::PeerReconnected{"you"});
  core.Committed(1);
}

TEST(DamagedMessages, OfTheDriverDoNotEndARunner) {
  Route route{2, {{"me", "a:1"}, {"you", "b:1"}}, {{{0, "s0"}, 0, 0}, {{0, "s1"}, 1, 1}}, {{{1, 0}, 1}, {{1, 1}, 0}}, 1,
              {}};
  route.state[{1, 0}] = {{"base", 100, 3, true}};
  v1::RunnerCommand command;
  wire::ToProto(route, command.mutable_route());
  EXPECT_GT(ForEachDamage<v1::RunnerCommand>(command, [](const v1::RunnerCommand& c) { Tell(c); }), 0);

  const std::vector<Range> ranges = {runner::CoreHarness::MakeRange("s0", 3, 5),
                                     runner::CoreHarness::MakeRange("s1", 0, 2)};
  const BatchWork work{
      1, {{2, 2'000, ranges, RangesHash(ranges)}}, {3, 3'000, 5, {{{0, "s0"}, 0, "5", 100}}}, 1, 0, 2, {"old"}};
  wire::ToProto(work, command.mutable_work());
  EXPECT_GT(ForEachDamage<v1::RunnerCommand>(command, [](const v1::RunnerCommand& c) { Tell(c); }), 0);
}

TEST(DamagedMessages, WhatNamesNothingIsRefused) {
  const JobPlan plan = runner::TwoStages();
  Route route{2, {{"me", "a:1"}}, {{{0, "s0"}, 0, 0}}, {{{1, 0}, 0}}, 0, {}};
  EXPECT_TRUE(wire::Check(route, plan).ok());
  route.partitions[0].key.stage = 7;
  EXPECT_TRUE(absl::IsInvalidArgument(wire::Check(route, plan)));
  route.partitions[0].key = {1, 2};
  EXPECT_TRUE(absl::IsInvalidArgument(wire::Check(route, plan))) << "it has two partitions";
  route.partitions[0].key = {0, 0};
  EXPECT_TRUE(absl::IsInvalidArgument(wire::Check(route, plan))) << "that stage reads a source";
  route.partitions[0].key = {1, 0};
  route.splits[0].key.source = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(wire::Check(route, plan)));

  const std::vector<Range> ranges = {runner::CoreHarness::MakeRange("s0", 3, 5)};
  BatchWork work{1, {{2, 2'000, ranges, RangesHash(ranges)}}, {}, 1, {}, 0, {}};
  EXPECT_TRUE(wire::Check(work, plan).ok());
  work.go[0].ranges[0].end = "6";
  EXPECT_TRUE(absl::IsInvalidArgument(wire::Check(work, plan))) << "not what the hash was made of";
}

}  // namespace
}  // namespace millrace
