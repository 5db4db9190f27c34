// StageTask: one task. It makes the operators of its stage, connects them, and passes the runner's calls to the right
// one.
//
// Ownership: shares the graph; `output`, context.state and context.current_operator are the runner's and outlive it.
// One thread at a time. An operator whose period does not divide the batch's number gives nothing in this batch: it is
// not finished, and its function is not run. A stateful root is finished in every batch, and knows itself. Errors:
// std::logic_error for calls that do not fit the stage, else what user code throws.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine.h"
#include "millrace/internal/graph.h"

namespace millrace::detail {

class StageTask : public engine::Task {
 public:
  StageTask(std::shared_ptr<const Graph> graph, const engine::StageDescription& stage, engine::TaskContext context,
            engine::TaskOutput& output)
      : graph_(std::move(graph)), context_(std::move(context)) {
    volatile std::uint32_t* current = context_.current_operator == nullptr ? &unobserved_ : context_.current_operator;
    const std::vector<Node>& nodes = graph_->nodes();
    state_ = static_cast<PartitionState*>(context_.state);
    if (stage.stateful && state_ == nullptr) {
      throw std::logic_error(Cat("stage ", stage.id, " keeps state, and its task was given none"));
    }
    members_.reserve(stage.operators.size() + stage.shuffles.size());
    // Both lists ascend; merged, every operator comes after those that it consumes.
    auto shuffle = stage.shuffles.begin();
    for (auto id = stage.operators.begin(); id != stage.operators.end() || shuffle != stage.shuffles.end();) {
      const bool is_writer = shuffle != stage.shuffles.end() && (id == stage.operators.end() || *shuffle < *id);
      const Node& node = nodes[is_writer ? *shuffle++ : *id++];
      shared_.one_by_one = shared_.one_by_one || node.one_by_one;
      const bool keeps_state = node.description.stateful && !is_writer;
      OperatorState* state = keeps_state ? state_->Find(node.description.id) : nullptr;
      const OperatorSetup setup{&node.description, &context_, &output, current, state, &shared_};
      const bool finishes = is_writer || keeps_state || context_.batch % node.description.period == 0;
      members_.push_back({node.description.id, is_writer, finishes, (is_writer ? node.make_writer : node.make)(setup)});
      if (members_.size() > 1) AttachToInputs(node.description, *members_.back().op);
    }
  }

  void Records(std::span<const engine::SourceRecord> records) override {
    if (shared_.one_by_one) {
      for (std::size_t i = 0; i < records.size(); ++i) PushSource(records.subspan(i, 1));
    } else {
      PushSource(records);
    }
  }
  void Block(std::string_view data) override { members_.front().op->Block(data); }
  void Finish() override {
    shared_.source = {};
    for (const Member& member : members_) {
      if (member.finishes) member.op->Finish();
    }
    if (state_ != nullptr) state_->EndBatch();
  }
  void RunFunction(std::uint32_t sink) override {
    Operator* op = Find(sink);
    if (op == nullptr) throw std::logic_error(Cat("operator ", sink, " is not in stage ", context_.stage));
    if (context_.batch % graph_->nodes()[sink].description.period == 0) op->RunFunction();
  }

 private:
  struct Member {
    std::uint32_t id;
    bool is_writer;  // the map side of a shuffle: its output is not in this stage
    bool finishes;   // in this batch
    std::unique_ptr<Operator> op;
  };

  void PushSource(std::span<const engine::SourceRecord> records) {
    shared_.source = records;
    members_.front().op->Records(records);
  }

  Operator* Find(std::uint32_t id) const {
    for (const Member& member : members_) {
      if (member.id == id && !member.is_writer) return member.op.get();
    }
    return nullptr;
  }

  // Inputs in other stages reach the operator there.
  void AttachToInputs(const engine::OperatorDescription& op, Operator& consumer) {
    for (const std::uint32_t input : op.inputs) {
      Operator* producer = Find(input);
      if (producer == nullptr) continue;
      if (op.side) {
        producer->AttachSide(consumer);
      } else {
        producer->Attach(consumer);
      }
    }
  }

  const std::shared_ptr<const Graph> graph_;
  const engine::TaskContext context_;
  std::uint32_t unobserved_ = 0;
  TaskShared shared_;
  PartitionState* state_ = nullptr;
  std::vector<Member> members_;
};

class StreamProgram : public engine::Program {
 public:
  StreamProgram(std::shared_ptr<const Graph> graph, engine::GraphDescription description)
      : graph_(std::move(graph)), description_(std::move(description)) {}

  const engine::GraphDescription& description() const override { return description_; }

  std::unique_ptr<engine::Task> NewTask(const engine::TaskContext& context, engine::TaskOutput& output) const override {
    if (context.stage >= description_.stages.size()) {
      throw std::invalid_argument(Cat("the job has no stage ", context.stage, ", only ", description_.stages.size()));
    }
    return std::make_unique<StageTask>(graph_, description_.stages[context.stage], context, output);
  }

  std::unique_ptr<engine::State> NewState(std::uint32_t stage, std::uint32_t partition,
                                          engine::StateStore* store) const override {
    auto state = std::make_unique<PartitionState>();
    for (const std::uint32_t id : description_.stages.at(stage).operators) {
      const Node& node = graph_->nodes()[id];
      if (!node.description.stateful) continue;
      state->Add(id, node.make_state({&node.description, partition, description_.key_groups, store}));
    }
    return state;
  }

  std::shared_ptr<engine::Source> FindSource(std::uint32_t op) const override { return graph_->nodes().at(op).source; }
  std::shared_ptr<engine::Receiver> NewReceiver(std::uint32_t op, const std::string& name) const override {
    const Node& node = graph_->nodes().at(op);
    return node.make_receiver ? node.make_receiver(name) : nullptr;
  }
  std::shared_ptr<engine::Sink> FindSink(std::uint32_t op) const override { return graph_->nodes().at(op).sink; }

 private:
  const std::shared_ptr<const Graph> graph_;
  const engine::GraphDescription description_;
};

}  // namespace millrace::detail
