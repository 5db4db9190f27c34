// Cuts a graph into stages: a root (a source or a shuffle) and every operator its records reach without an exchange.
//
// A union of two sources is in both their stages; a shuffle reached from several stages is written by each of them and
// is the root of one. Operators that reach no sink are in no stage. Stages come in the order of their roots, so each
// after those that feed it. Pure functions of the nodes. Errors: std::invalid_argument when no operator is a sink.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "millrace/engine.h"
#include "millrace/internal/graph.h"

namespace millrace::detail {

// By operator id: does it reach a sink?
inline std::vector<bool> LiveOperators(const std::vector<Node>& nodes) {
  std::vector<bool> live(nodes.size(), false);
  for (std::size_t i = nodes.size(); i-- > 0;) {  // consumers have larger ids
    const engine::OperatorDescription& op = nodes[i].description;
    if (op.kind == engine::OperatorKind::kSink) live[i] = true;
    if (!live[i]) continue;
    for (const std::uint32_t input : op.inputs) live[input] = true;
  }
  return live;
}

inline engine::StageDescription CutStage(const std::vector<Node>& nodes, const std::vector<bool>& live,
                                         std::uint32_t root) {
  engine::StageDescription stage;
  stage.root = root;
  stage.partitions = nodes[root].description.partitions;
  stage.operators.push_back(root);
  stage.runs_empty = nodes[root].runs_empty;
  stage.stateful = nodes[root].description.stateful;
  std::vector<bool> inside(nodes.size(), false);
  inside[root] = true;
  for (std::uint32_t id = root + 1; id < nodes.size(); ++id) {
    const engine::OperatorDescription& op = nodes[id].description;
    bool reached = false;
    for (const std::uint32_t input : op.inputs) reached = reached || inside[input];
    if (!reached || !live[id]) continue;
    if (op.kind == engine::OperatorKind::kShuffle) {
      stage.shuffles.push_back(id);
      continue;
    }
    inside[id] = true;
    stage.operators.push_back(id);
    stage.runs_empty = stage.runs_empty || nodes[id].runs_empty;
    if (op.kind == engine::OperatorKind::kSink) stage.sinks.push_back(id);
  }
  return stage;
}

inline std::vector<engine::StageDescription> CutStages(const std::vector<Node>& nodes) {
  const std::vector<bool> live = LiveOperators(nodes);
  std::vector<engine::StageDescription> stages;
  for (std::uint32_t id = 0; id < nodes.size(); ++id) {
    const engine::OperatorKind kind = nodes[id].description.kind;
    if (!live[id] || (kind != engine::OperatorKind::kSource && kind != engine::OperatorKind::kShuffle)) continue;
    stages.push_back(CutStage(nodes, live, id));
    stages.back().id = static_cast<std::uint32_t>(stages.size() - 1);
  }
  if (stages.empty()) {
    throw std::invalid_argument("the job has no output: end a stream with Print, ForEachBatch, ToKafka or ToFiles");
  }
  return stages;
}

}  // namespace millrace::detail
