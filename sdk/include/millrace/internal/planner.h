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

// `interval_us` 0: not set.
inline std::unique_ptr<engine::Program> MakeProgram(const std::shared_ptr<Graph>& graph, const std::string& name,
                                                    std::int64_t interval_us) {
  graph->Close();
  CheckJobName(name);
  if (interval_us == 0) {
    throw std::invalid_argument(
        "the job has no batch interval: call ctx.BatchInterval(std::chrono::milliseconds(500)) or pass one at submit");
  }
  CheckBatchInterval(interval_us);
  CheckUids(graph->nodes());
  engine::GraphDescription description;
  description.name = name;
  description.batch_interval_us = static_cast<std::uint64_t>(interval_us);
  description.stages = CutStages(graph->nodes());
  for (const Node& node : graph->nodes()) description.operators.push_back(node.description);
  return std::make_unique<StreamProgram>(graph, std::move(description));
}

}  // namespace millrace::detail
