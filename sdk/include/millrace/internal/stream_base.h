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
