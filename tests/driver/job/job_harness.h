// Drives one JobMaster by events alone and gives back what it wants done. One thread.
//
//   JobHarness job(OneShufflePlan());
//   job.Start({"e1", "e2"}, {"s0"});
//   auto cut = job.Only<SendWork>(job.Step(Tick{})).work.cut;
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status.h"
#include "driver/job/job_master.h"

namespace millrace {

using Actions = std::vector<JobAction>;

template <class T>
std::vector<T> Of(const Actions& actions) {
  std::vector<T> found;
  for (const JobAction& action : actions) {
    if (const T* a = std::get_if<T>(&action)) found.push_back(*a);
  }
  return found;
}

template <class T>
T Only(const Actions& actions) {
  const std::vector<T> found = Of<T>(actions);
  EXPECT_EQ(found.size(), 1u);
  return found.empty() ? T{} : found.front();
}

constexpr std::int64_t kInterval = 100'000;
constexpr std::int64_t kNow = 1'700'000'000'020'000;  // 20 ms after a batch time

// source 0 → shuffle 1 → sink 2, two partitions.
inline JobPlan OneShufflePlan(bool runs_empty = false) {
  JobPlan plan;
  plan.name = "words";
  plan.batch_interval_us = kInterval;
  plan.sources = {{.op = 0, .connector = "kafka", .description = "", .bounded = false, .replayable = true}};
  StagePlan map, reduce;
  map.reads_source = true;
  map.shuffles = {1};
  map.runs_empty = runs_empty;
  reduce.id = 1;
  reduce.root = 1;
  reduce.partitions = 2;
  reduce.sinks = {2};
  reduce.upstream = {0};
  reduce.runs_empty = runs_empty;
  plan.stages = {map, reduce};
  plan.operator_labels = {"Kafka at words.cc:7", "ReduceByKey at words.cc:9", "ToKafka at words.cc:11"};
  return plan;
}

class JobHarness {
 public:
  explicit JobHarness(JobPlan plan = OneShufflePlan(), JobLimits limits = {}, const JobSnapshot* restored = nullptr,
                      std::uint64_t epoch = 3)
      : master("j-1", std::move(plan), epoch, limits, restored), epoch_(epoch), restored_(restored != nullptr) {}

  Actions Step(const JobEvent& event) {
    Actions actions;
    master.Step(now, event, &actions);
    return actions;
  }
  Actions TickAt(std::int64_t time) {
    now = time;
    return Step(Tick{});
  }

  // Executors come, their runners start, splits are listed. Returns what the last of these events caused; of a restored
  // job, which does not wait for the list, what all of them did.
  Actions Start(const std::vector<std::string>& executors, const std::vector<std::string>& splits) {
    for (const std::string& executor : executors)
      runners.push_back(Only<StartRunner>(Step(ExecutorUp{executor})).runner);
    Actions all;
    for (const std::string& runner : runners) {
      for (JobAction& action : Step(RunnerUp{runner, Concat(runner, ":1")})) all.push_back(std::move(action));
    }
    const Actions last = List(splits);
    all.insert(all.end(), last.begin(), last.end());
    return restored_ ? all : last;
  }
  Actions List(const std::vector<std::string>& splits, bool complete = false) {
    SplitReport report;
    for (const std::string& split : splits) report.splits.push_back({split, "0"});
    report.complete = complete;
    return Step(SplitsReported{runners.front(), report});
  }

  static Range MakeRange(const std::string& split, int start, int end, bool finished = false) {
    return {{0, split}, 0, Concat(start), Concat(end), static_cast<std::uint64_t>(end - start), finished};
  }
  Actions Report(std::uint64_t batch, std::vector<Range> ranges) {
    return Step(RangesReported{runners.front(), {batch, std::move(ranges)}});
  }
  Actions Done(std::uint64_t batch) { return Step(DoneReported{runners.front(), {batch, {{1, 0}, {1, 1}}, 0}}); }
  // A batch from its ranges to its commit.
  void Live(std::uint64_t batch, std::vector<Range> ranges) {
    Report(batch, std::move(ranges));
    Step(PlanDurable{batch});
    Done(batch);
    ASSERT_EQ(master.committed(), batch);
  }
  Actions Fail(std::uint64_t batch, TaskKey task, std::uint64_t version, bool permanent = false) {
    return Step(FailureReported{runners.front(), {batch, task, Version(version), 1, "key is not a number", permanent}});
  }

  // The nth version of the route in this term.
  std::uint64_t Version(std::uint64_t n) const { return (epoch_ << 32) + n; }

  JobMaster master;
  std::int64_t now = kNow;
  std::vector<std::string> runners;

 private:
  const std::uint64_t epoch_;
  const bool restored_;
};

}  // namespace millrace
