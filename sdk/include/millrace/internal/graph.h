// The graph that a job body builds: one node an operator, described as data (for the plan) and able to make what runs
// in a task.
//
// Written by one thread while the job body runs, then closed; from then on it is immutable and shared by all tasks of
// all threads. Streams hold the graph by shared_ptr, so a stream that outlives its job body is harmless: adding to it
// is refused. Errors: std::invalid_argument with the operator, its place, the reason and the remedy.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/state.h"
#include "millrace/internal/text.h"
#include "millrace/internal/type_name.h"
#include "millrace/storage_level.h"

namespace millrace::detail {

using OperatorFactory = std::function<std::unique_ptr<Operator>(const OperatorSetup&)>;
using StateFactory = std::function<std::unique_ptr<OperatorState>(const StateSetup&)>;

struct Node {
  engine::OperatorDescription description;
  bool runs_empty = false;      // its stage must run although no record came
  OperatorFactory make;         // for the stage that it is in; of a shuffle: the root of the stage after it
  OperatorFactory make_writer;  // of a shuffle: the end of the stages before it
  StateFactory make_state;      // of a stateful shuffle

  // Connectors in the job's own code.
  std::shared_ptr<engine::Source> source;
  std::function<std::shared_ptr<engine::Receiver>(const std::string& name)> make_receiver;
  std::shared_ptr<engine::Sink> sink;

  bool handles_bad = false;  // it can go on after a record for which its function throws
  bool one_by_one = false;   // the source records of its stage must be pushed one at a time
  // Of a windowed operator; the planner turns them into batches. `window_us` 0: no window; `slide_us` 0: as its input.
  std::int64_t window_us = 0;
  std::int64_t slide_us = 0;
  std::int64_t lag_us = -1;  // of a slice: it covers from `window_us` ago to `lag_us` ago, both included; -1: a window
  std::optional<StorageLevel> storage;  // of the blocks of the exchanges that read it
  std::int64_t checkpoint_us = 0;       // how often the job must be checkpointed for it; 0: it does not care
};

inline constexpr std::int64_t kMaxPartitions = 65536;

// "Repartition at job.cc:12: <reason>".
[[noreturn]] inline void Refuse(std::string_view name, std::string_view location, std::string_view reason) {
  throw std::invalid_argument(Cat(name, " at ", location, ": ", reason));
}
[[noreturn]] inline void Refuse(const engine::OperatorDescription& op, std::string_view reason) {
  Refuse(op.name, op.location, reason);
}

inline void RequireOption(std::string_view name, const std::source_location& where, std::string_view option,
                          std::string_view value) {
  if (value.empty()) Refuse(name, LocationOf(where), Cat("option ", option, " is empty; it must be given"));
}

class Graph {
 public:
  // Gives the node its id and adds it. Its inputs are there already.
  std::uint32_t Add(Node node) {
    if (closed_) {
      Refuse(node.description, "added after the job's body had returned; build the whole graph inside MILLRACE_JOB");
    }
    node.description.id = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(std::move(node));
    return nodes_.back().description.id;
  }

  // For .Uid and .Name.
  engine::OperatorDescription& Change(std::uint32_t id) {
    engine::OperatorDescription& description = nodes_[id].description;
    if (closed_) Refuse(description, "changed after the job's body had returned; name operators inside MILLRACE_JOB");
    return description;
  }

  // For everything else that may be said of an operator after it was added.
  Node& ChangeNode(std::uint32_t id) {
    Change(id);
    return nodes_[id];
  }

  void Close() { closed_ = true; }
  const std::vector<Node>& nodes() const { return nodes_; }
  // For the planner, before the graph is shared.
  std::vector<Node>& mutable_nodes() { return nodes_; }

  std::uint32_t default_partitions() const { return default_partitions_; }
  void set_default_partitions(std::uint32_t partitions) { default_partitions_ = partitions; }

  std::uint32_t key_groups() const { return key_groups_; }
  void set_key_groups(std::uint32_t groups) { key_groups_ = groups; }
  engine::StateBackend backend() const { return backend_; }
  void set_backend(engine::StateBackend backend) { backend_ = backend; }
  std::int64_t checkpoint_us() const { return checkpoint_us_; }
  void set_checkpoint_us(std::int64_t us) { checkpoint_us_ = us; }
  std::int64_t remember_us() const { return remember_us_; }
  void set_remember_us(std::int64_t us) { remember_us_ = us; }

 private:
  std::vector<Node> nodes_;
  std::uint32_t default_partitions_ = 4;
  std::uint32_t key_groups_ = 128;
  engine::StateBackend backend_ = engine::StateBackend::kMemory;
  std::int64_t checkpoint_us_ = 0;  // 0: not set
  std::int64_t remember_us_ = 0;
  bool closed_ = false;
};

// A node of this kind with output type T, not yet in a graph.
template <class T>
Node NewNode(engine::OperatorKind kind, std::string_view name, std::vector<std::uint32_t> inputs,
             const std::source_location& where) {
  Node node;
  node.description.kind = kind;
  node.description.name = name;
  node.description.inputs = std::move(inputs);
  node.description.output_type = TypeName<T>();
  node.description.location = LocationOf(where);
  return node;
}

// Turns a shuffle into one that keeps a State, which its operators find with StateAs<State>(). `kept` says what, for
// people and for the comparison with an older version of the job: "UpdateStateByKey of std::string to int".
template <class State, class... Args>
void KeepState(Node& node, std::string kept, Args... args) {
  node.description.stateful = true;
  node.description.state = std::move(kept);
  node.runs_empty = true;
  node.make_state = [... args = std::move(args)](const StateSetup& setup) {
    return std::make_unique<State>(setup, args...);
  };
}

// Operator types differ in what their constructors take after the setup.
template <class Op, class... Args>
OperatorFactory MakeFactory(Args... args) {
  return [... args = std::move(args)](const OperatorSetup& setup) { return std::make_unique<Op>(setup, args...); };
}

// For operators with a user function: it lives in the graph, and every task's operator refers to it.
template <class Op, class F>
OperatorFactory MakeFactoryFor(std::shared_ptr<const F> f) {
  return [f = std::move(f)](const OperatorSetup& setup) { return std::make_unique<Op>(setup, *f); };
}

}  // namespace millrace::detail
