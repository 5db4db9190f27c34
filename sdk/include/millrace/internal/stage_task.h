// StageTask: one task. It makes the operators of its stage, connects them, and passes the runner's calls to the right
// one.
//
// Ownership: shares the graph; `output` and context.current_operator are the runner's and outlive it. One thread at a
// time. Errors: std::logic_error for calls that do not fit the stage, else what user code throws.
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
    members_.reserve(stage.operators.size() + stage.shuffles.size());
    // Both lists ascend; merged, every operator comes after those that it consumes.
    auto shuffle = stage.shuffles.begin();
    for (auto id = stage.operators.begin(); id != stage.operators.end() || shuffle != stage.shuffles.end();) {
      const bool is_writer = shuffle != stage.shuffles.end() && (id == stage.operators.end() || *shuffle < *id);
      const Node& node = nodes[is_writer ? *shuffle++ : *id++];
      const OperatorSetup setup{&node.description, &context_, &output, current};
      members_.push_back({node.description.id, is_writer, (is_writer ? node.make_writer : node.make)(setup)});
      if (members_.size() > 1) AttachToInputs(node.description, *members_.back().op);
    }
  }

  void Records(std::span<const engine::SourceRecord> records) override { members_.front().op->Records(records); }
  void Block(std::string_view data) override { members_.front().op->Block(data); }
  void Finish() override {
    for (const Member& member : members_) member.op->Finish();
  }
  void RunFunction(std::uint32_t sink) override {
    Operator* op = Find(sink);
    if (op == nullptr) throw std::logic_error(Cat("operator ", sink, " is not in stage ", context_.stage));
    op->RunFunction();
  }

 private:
  struct Member {
    std::uint32_t id;
    bool is_writer;  // the map side of a shuffle: its output is not in this stage
    std::unique_ptr<Operator> op;
  };

  Operator* Find(std::uint32_t id) const {
    for (const Member& member : members_) {
      if (member.id == id && !member.is_writer) return member.op.get();
    }
    return nullptr;
  }

  // Inputs in other stages reach the operator there.
  void AttachToInputs(const engine::OperatorDescription& op, Operator& consumer) {
    for (const std::uint32_t input : op.inputs) {
      if (Operator* producer = Find(input)) producer->Attach(consumer);
    }
  }

  const std::shared_ptr<const Graph> graph_;
  const engine::TaskContext context_;
  std::uint32_t unobserved_ = 0;
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

 private:
  const std::shared_ptr<const Graph> graph_;
  const engine::GraphDescription description_;
};

}  // namespace millrace::detail
