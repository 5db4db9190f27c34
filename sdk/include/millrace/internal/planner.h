// Turns a closed graph into a Program, or refuses it. Runs once, in the entry point of a job library.
//
// Errors: std::invalid_argument for whatever the author or submit got wrong, with the operator, its place, the reason
// and the remedy.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/engine.h"
#include "millrace/internal/graph.h"
#include "millrace/internal/stage_cutter.h"
#include "millrace/internal/stage_task.h"
#include "millrace/internal/text.h"

namespace millrace::detail {

inline constexpr std::int64_t kMinIntervalUs = 1'000;
inline constexpr std::int64_t kMaxIntervalUs = 3'600'000'000;

inline void CheckJobName(std::string_view name) {
  if (IsJobName(name)) return;
  throw std::invalid_argument(
      Cat("job name '", name, "' is not allowed: use 1 to 64 letters, digits, '.', '_' and '-'"));
}

inline void CheckBatchInterval(std::int64_t us) {
  if (us >= kMinIntervalUs && us <= kMaxIntervalUs) return;
  throw std::invalid_argument(Cat("batch interval ", us, " us is outside 1 ms to 1 h: pass one of that range"));
}

inline void CheckUids(const std::vector<Node>& nodes) {
  std::map<std::string_view, const engine::OperatorDescription*> first;
  for (const Node& node : nodes) {
    const engine::OperatorDescription& op = node.description;
    if (op.uid.empty()) continue;
    const auto [at, is_new] = first.emplace(op.uid, &op);
    if (!is_new) {
      Refuse(op, Cat("uid '", op.uid, "' is taken by ", at->second->name, " at ", at->second->location,
                     "; give every operator a uid of its own"));
    }
  }
}

inline constexpr std::int64_t kDefaultCheckpointUs = 10'000'000;

// Turns the lengths and slides of windows into batches, and gives every operator its period.
inline void ResolvePeriods(std::vector<Node>& nodes, std::int64_t interval_us) {
  const auto ms = [](std::int64_t us) { return us % 1000 == 0 ? Cat(us / 1000, " ms") : Cat(us, " us"); };
  for (Node& node : nodes) {
    engine::OperatorDescription& op = node.description;
    for (std::size_t i = 0; i < op.inputs.size(); ++i) {
      const engine::OperatorDescription& input = nodes[op.inputs[i]].description;
      if (i == 0) op.input_period = input.period;
      if (input.period == op.input_period) continue;
      Refuse(op, Cat("its inputs give results every ", ms(op.input_period * interval_us), " and every ",
                     ms(input.period * interval_us), " (", input.name, " at ", input.location,
                     "); give both the same slide, for example with Window"));
    }
    op.period = op.input_period;
    const std::int64_t unit = op.input_period * interval_us;
    const auto check = [&](std::string_view what, std::int64_t us) {
      if (us > 0 && us % unit == 0) return;
      Refuse(op, Cat("its ", what, " of ", ms(us), " is not a multiple of ", ms(unit), ", the slide of ",
                     nodes[op.inputs[0]].description.name, "; pass a multiple"));
    };
    if (node.slide_us != 0) check("slide", node.slide_us);
    if (node.slide_us != 0) op.period = static_cast<std::uint32_t>(node.slide_us / interval_us);
    if (node.lag_us >= 0) {
      op.window = static_cast<std::uint32_t>(node.window_us / unit + 1) * op.input_period;
      op.lag = static_cast<std::uint32_t>(node.lag_us / unit) * op.input_period;
    } else {
      if (node.window_us != 0) check("window", node.window_us);
      op.window = static_cast<std::uint32_t>(node.window_us / interval_us);
    }
    const std::int64_t slide = op.period * interval_us;
    if (node.checkpoint_us == 0 || (node.checkpoint_us > 0 && node.checkpoint_us % slide == 0)) continue;
    Refuse(op, Cat("its checkpoint interval of ", ms(node.checkpoint_us), " is not a multiple of ", ms(slide),
                   ", its slide; pass a multiple"));
  }
}

// Gives each exchange the storage level of the stream that it reads: its own, or that of the nearest operator before it
// that has one, up to the exchange before. Of several inputs the first that has one.
inline void ResolveStorage(std::vector<Node>& nodes) {
  std::vector<std::optional<StorageLevel>> levels(nodes.size());  // of what comes out
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Node& node = nodes[i];
    std::optional<StorageLevel> read;
    for (const std::uint32_t input : node.description.inputs) {
      if (!read) read = levels[input];
    }
    const bool exchange = node.description.kind == engine::OperatorKind::kShuffle;
    if (exchange && read) node.description.options["storage"] = StorageOption(*read);
    if (exchange && read && IsReplicated(*read)) node.description.options["replicated"] = "yes";
    levels[i] = !node.storage && !exchange ? read : node.storage;
  }
}

inline void CheckState(std::vector<Node>& nodes, std::uint32_t key_groups) {
  for (Node& node : nodes) {
    engine::OperatorDescription& op = node.description;
    if (!op.stateful) continue;
    op.key_groups = key_groups;
    if (op.partitions <= key_groups) continue;
    Refuse(op, Cat("it keeps state in ", key_groups, " key groups and cannot have ", op.partitions,
                   " partitions; pass fewer, or more groups with ctx.KeyGroups, before the job first runs"));
  }
}

// Every so many microseconds, a multiple of the batch interval; 0 when nothing keeps state. A job is checkpointed as a
// whole, so the shortest interval that was asked for is everybody's.
inline std::uint64_t CheckpointInterval(const Graph& graph, std::int64_t interval_us) {
  bool stateful = false;
  std::int64_t wanted = graph.checkpoint_us();
  for (const Node& node : graph.nodes()) {
    stateful = stateful || node.description.stateful;
    if (node.checkpoint_us != 0 && (wanted == 0 || node.checkpoint_us < wanted)) wanted = node.checkpoint_us;
  }
  if (!stateful) return 0;
  if (wanted == 0) wanted = kDefaultCheckpointUs;
  return static_cast<std::uint64_t>((wanted + interval_us - 1) / interval_us * interval_us);
}

// `interval_us` 0: not set.
inline std::unique_ptr<engine::Program> MakeProgram(const std::shared_ptr<Graph>& graph, const std::string& name,
                                                    std::int64_t interval_us) {
  CheckJobName(name);
  if (interval_us == 0) {
    throw std::invalid_argument(
        "the job has no batch interval: call ctx.BatchInterval(std::chrono::milliseconds(500)) or pass one at submit");
  }
  CheckBatchInterval(interval_us);
  CheckUids(graph->nodes());
  ResolvePeriods(graph->mutable_nodes(), interval_us);
  ResolveStorage(graph->mutable_nodes());
  CheckState(graph->mutable_nodes(), graph->key_groups());
  graph->Close();
  engine::GraphDescription description;
  description.name = name;
  description.batch_interval_us = static_cast<std::uint64_t>(interval_us);
  description.remember_us = static_cast<std::uint64_t>(graph->remember_us());
  description.checkpoint_interval_us = CheckpointInterval(*graph, interval_us);
  description.state_backend = graph->backend();
  description.key_groups = graph->key_groups();
  description.stages = CutStages(graph->nodes());
  for (const Node& node : graph->nodes()) description.operators.push_back(node.description);
  return std::make_unique<StreamProgram>(graph, std::move(description));
}

}  // namespace millrace::detail
