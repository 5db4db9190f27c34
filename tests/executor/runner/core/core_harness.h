// Drives one RunnerCore by events alone and gives back what it wants done. One thread. The runner under test is "me",
// its peer "you".
//
//   CoreHarness core;
//   core.Route(1, {{"s0", "me"}}, {"me", "you"});    // splits of source 0, partitions of stage 1
//   auto close = core.Only<CloseRange>(core.Cut(1, {"s0"}));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/status.h"
#include "executor/runner/core/runner_core.h"

namespace millrace::runner {

using Actions = std::vector<Action>;

template <class T>
std::vector<T> Of(const Actions& actions) {
  std::vector<T> found;
  for (const Action& action : actions) {
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

// source 0 → shuffle 1 (two partitions) → sink 2; with a sink 3 in the source's own stage if wanted.
inline JobPlan TwoStages(bool source_sink = false) {
  JobPlan plan;
  StagePlan map, reduce;
  map.reads_source = true;
  map.shuffles = {1};
  if (source_sink) map.sinks = {3};
  reduce.id = 1;
  reduce.root = 1;
  reduce.partitions = 2;
  reduce.sinks = {2};
  reduce.upstream = {0};
  plan.stages = {map, reduce};
  return plan;
}

class CoreHarness {
 public:
  explicit CoreHarness(JobPlan plan = TwoStages()) : core(std::move(plan), "me") {}

  Actions Step(const Event& event) {
    Actions actions;
    core.Step(event, &actions);
    return actions;
  }

  // Owners of the splits, in the order of their ordinals, and of the reduce partitions.
  Actions Route(std::uint64_t version, const std::vector<std::pair<std::string, std::string>>& splits,
                const std::vector<std::string>& partitions) {
    millrace::Route route;
    route.version = version;
    route.peers = {{"me", "a:1"}, {"you", "b:1"}, {"another", "c:1"}};
    const auto peer = [&](const std::string& name) {
      return static_cast<std::uint32_t>(std::ranges::find(route.peers, name, &Peer::runner) - route.peers.begin());
    };
    for (std::uint32_t i = 0; i < splits.size(); ++i)
      route.splits.push_back({{0, splits[i].first}, i, peer(splits[i].second)});
    for (std::uint32_t i = 0; i < partitions.size(); ++i) route.partitions.push_back({{1, i}, peer(partitions[i])});
    return Step(RouteReceived{route});
  }

  Actions Cut(std::uint64_t batch, const std::vector<std::string>& splits, std::int64_t after_us = 0,
              const std::string& start = "0", std::uint64_t committed = 0) {
    BatchWork work;
    work.committed = committed;
    work.cut = {batch, 1'000, after_us, {}};
    for (const std::string& split : splits) work.cut.splits.push_back({{0, split}, Ordinal(split), start, 0});
    return Step(WorkReceived{work});
  }

  static millrace::Range MakeRange(const std::string& split, int start, int end) {
    return {{0, split}, Ordinal(split), Concat(start), Concat(end), static_cast<std::uint64_t>(end - start), false};
  }
  Actions Go(std::uint64_t batch, std::vector<millrace::Range> ranges, std::uint64_t committed = 0) {
    BatchWork work;
    work.committed = committed;
    work.go = {{batch, 1'000, ranges, RangesHash(ranges)}};
    return Step(WorkReceived{work});
  }
  Actions Committed(std::uint64_t batch) {
    BatchWork work;
    work.committed = batch;
    return Step(WorkReceived{work});
  }

  // The blocks that mapping a range makes.
  static std::vector<MadeBlock> Blocks(std::uint64_t batch, const millrace::Range& range) {
    std::vector<MadeBlock> blocks;
    for (std::uint32_t r = 0; r < 2; ++r) blocks.push_back({{batch, 1, 0, range.ordinal, r}, RangeHash(range)});
    return blocks;
  }
  // Closes, maps and reports a range from "0".
  Actions CloseAndCompute(const CloseRange& close, int end) {
    Actions actions = Step(RangeClosed{close.ref.attempt, Concat(end), static_cast<std::uint64_t>(end), false});
    const Actions computed =
        Step(TaskComputed{close.ref.attempt, Blocks(close.ref.batch, MakeRange(close.split.split, 0, end)), 0});
    actions.insert(actions.end(), computed.begin(), computed.end());
    return actions;
  }
  Actions Receive(std::uint64_t batch, std::uint32_t partition, const millrace::Range& range) {
    return Step(BlockReceived{{batch, 1, 0, range.ordinal, partition}, RangeHash(range)});
  }

  RunnerCore core;

 private:
  static std::uint32_t Ordinal(const std::string& split) { return static_cast<std::uint32_t>(split.back() - '0'); }
};

}  // namespace millrace::runner
