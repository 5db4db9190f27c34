// One attempt at a task, on a worker: feeds the job's code, collects the blocks and rows it makes, and catches what it
// throws.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/block/block.h"
#include "executor/connectors/sink.h"
#include "executor/connectors/source.h"
#include "executor/runner/core/events.h"
#include "executor/runner/lookup_host.h"
#include "millrace/engine.h"

namespace millrace {

// What user code threw, or what a lookup met, and where.
struct TaskError {
  std::uint32_t op = 0;
  std::string text;
  bool permanent = false;  // another attempt meets the same
};

// Does no retry mend it?
bool IsPermanent(const absl::Status& status);

class TaskRun final : private engine::TaskOutput, private engine::Lookups {
 public:
  // `state`: of a stateful stage, else null. `lookups` outlives the run. Throws what the job's code throws.
  TaskRun(const engine::Program& program, const std::string& job, const runner::TaskRef& ref, std::uint64_t epoch,
          engine::State* state, LookupHost& lookups);
  ~TaskRun() override;

  // Records of its input, before it is known where that ends. The error is what user code threw.
  std::optional<TaskError> Feed(RecordBatch& records);
  // Feeds the rest and finishes. `input_hash` names the input in the blocks that are made.
  template <class Feed>
  std::optional<TaskError> Compute(runner::AttemptId attempt, std::uint64_t input_hash, Feed&& feed) {
    ref_.attempt = attempt;
    input_hash_ = input_hash;
    return Guard([&] {
      feed(*task_);
      task_->Finish();
    });
  }
  // Runs a ForEachBatch function on what was collected.
  std::optional<TaskError> RunFunction(std::uint32_t sink) {
    return Guard([&] { task_->RunFunction(sink); });
  }

  std::vector<std::shared_ptr<const millrace::Block>> TakeBlocks() { return std::move(blocks_); }
  const RowBuffer& rows(std::uint32_t sink) { return rows_[sink]; }
  const runner::TaskRef& ref() const { return ref_; }
  // What the operators counted, by operator and name.
  const Counts& counts() const { return counts_; }

 private:
  void Block(std::uint32_t shuffle, std::uint32_t partition, std::string data, std::uint64_t records) override;
  void Rows(std::uint32_t sink, std::span<const engine::SinkRow> rows) override;
  void Count(std::uint32_t op, std::string_view counter, std::uint64_t add) override;
  std::vector<LookupRow> Find(std::uint32_t op, std::span<const std::string> keys) override;
  std::optional<TaskError> Guard(const std::function<void()>& call);

  runner::TaskRef ref_;
  std::uint64_t input_hash_ = 0;
  volatile std::uint32_t current_operator_ = 0;
  LookupHost& lookups_;
  absl::Status lookup_error_;  // what went through user code as an exception
  std::unique_ptr<engine::Task> task_;
  std::vector<std::shared_ptr<const millrace::Block>> blocks_;
  std::map<std::uint32_t, RowBuffer> rows_;
  Counts counts_;
};

}  // namespace millrace
