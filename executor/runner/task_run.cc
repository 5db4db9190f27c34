#include "executor/runner/task_run.h"

#include <exception>

#include "executor/runner/crash_handler.h"

namespace millrace {
namespace {
// A fence as one number for user sinks: the epoch above, the version below.
std::uint64_t Fence(std::uint64_t epoch, std::uint64_t version) { return (epoch << 32) | (version & 0xffffffffU); }
}  // namespace

TaskRun::TaskRun(const engine::Program& program, const std::string& job, const runner::TaskRef& ref,
                 std::uint64_t epoch, std::uint64_t input_hash, engine::State* state)
    : ref_(ref), input_hash_(input_hash) {
  engine::TaskContext context;
  context.job = job;
  context.batch = ref.batch;
  context.batch_time_us = ref.batch_time_us;
  context.stage = ref.task.stage;
  context.partition = ref.task.partition;
  context.attempt = static_cast<std::uint32_t>(ref.attempt);
  context.fence = Fence(epoch, ref.version);
  context.state = state;
  context.current_operator = &current_operator_;
  task_ = program.NewTask(context, *this);
}

TaskRun::~TaskRun() = default;

void TaskRun::Block(std::uint32_t shuffle, std::uint32_t partition, std::string data, std::uint64_t records) {
  blocks_.push_back(MakeBlock({ref_.batch, shuffle, ref_.task.stage, ref_.task.partition, partition}, input_hash_,
                              records, std::move(data)));
}

void TaskRun::Rows(std::uint32_t sink, std::span<const engine::SinkRow> rows) { rows_[sink].Append(rows); }

void TaskRun::Count(std::uint32_t op, std::string_view counter, std::uint64_t add) {
  counts_[{op, std::string(counter)}] += add;
}

std::optional<TaskError> TaskRun::Guard(const std::function<void()>& call) {
  const ActiveTask active(&current_operator_, ref_.batch);
  try {
    call();
    return std::nullopt;
  } catch (const std::exception& e) {
    return TaskError{current_operator_, e.what()};
  } catch (...) {
    return TaskError{current_operator_, "something was thrown that is no std::exception"};
  }
}

}  // namespace millrace
