// What every stream is underneath its type: a place in a graph. Copied freely; a copy is the same stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/internal/graph.h"

namespace millrace::detail {

class StreamBase {
 public:
  StreamBase(std::shared_ptr<Graph> graph, std::uint32_t id) : graph_(std::move(graph)), id_(id) {}

  // The operator that this stream comes out of; its id in the plan.
  std::uint32_t id() const { return id_; }

 protected:
  const std::shared_ptr<Graph>& graph() const { return graph_; }

  // A node that consumes this stream and gives records of type T.
  template <class T>
  Node Consume(engine::OperatorKind kind, std::string_view name, const std::source_location& where) const {
    return NewNode<T>(kind, name, {id_}, where);
  }

  // The same for a shuffle; checks the number of partitions, absent: the job's default.
  template <class T>
  Node Exchange(std::string_view name, std::optional<std::int64_t> partitions,
                const std::source_location& where) const {
    Node node = Consume<T>(engine::OperatorKind::kShuffle, name, where);
    const std::int64_t count = partitions.value_or(graph_->default_partitions());
    if (count < 1 || count > kMaxPartitions) {
      Refuse(node.description, Cat(count, " partitions are not possible; pass 1 to ", kMaxPartitions));
    }
    node.description.partitions = static_cast<std::uint32_t>(count);
    return node;
  }

  // For an operator of two streams.
  void RequireSameJob(const Node& node, const StreamBase& other) const {
    if (other.graph_ == graph_) return;
    Refuse(node.description, "the streams are of two contexts; build both from the same JobContext");
  }

  // What the operator does with records for which its function throws. The worst of what was asked for holds: dead
  // letters that have consumers are not given up.
  void AcceptBad(std::string_view name, engine::BadRecords policy, const std::source_location& where) const {
    const engine::OperatorDescription& op = graph_->nodes()[id_].description;
    if (!graph_->nodes()[id_].handles_bad) {
      Refuse(name, LocationOf(where),
             Cat(op.name, " at ", op.location,
                 " calls no function for single records; put what may throw into a Map, "
                 "FlatMap, Filter, MapValues or FlatMapValues, and call ",
                 name, " on what that gives"));
    }
    Node& node = graph_->ChangeNode(id_);
    if (node.description.bad_records < policy) node.description.bad_records = policy;
    if (policy != engine::BadRecords::kDeadLetter) return;
    // Records of a source are known by their place in the chunk; what was made of them, only if they come one by one.
    const Node& input = graph_->nodes()[node.description.inputs[0]];
    if (input.description.kind != engine::OperatorKind::kSource) node.one_by_one = true;
  }

  void SetUid(std::string_view uid) const {
    engine::OperatorDescription& op = graph_->Change(id_);
    if (uid.empty()) Refuse(op, "an empty uid names nothing; pass a name or leave Uid out");
    op.uid = uid;
  }
  void SetName(std::string_view name) const {
    engine::OperatorDescription& op = graph_->Change(id_);
    if (name.empty()) Refuse(op, "an empty name says nothing; pass one or leave Name out");
    op.name = name;
  }

 private:
  std::shared_ptr<Graph> graph_;
  std::uint32_t id_;
};

}  // namespace millrace::detail
