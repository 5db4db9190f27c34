#include "executor/runner/task_run.h"

#include <exception>
#include <stdexcept>

#include "common/status.h"
#include "executor/runner/crash_handler.h"

namespace millrace {
namespace {
// A fence as one number for user sinks: the epoch above, the version below.
std::uint64_t Fence(std::uint64_t epoch, std::uint64_t version) { return (epoch << 32) | (version & 0xffffffffU); }
}  // namespace

bool IsPermanent(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsInvalidArgument(status) ||
         absl::IsPermissionDenied(status);
}

TaskRun::TaskRun(const engine::Program& program, const std::string& job, const runner::TaskRef& ref,
                 std::uint64_t epoch, engine::State* state, LookupHost& lookups)
    : ref_(ref), lookups_(lookups) {
  engine::TaskContext context;
  context.job = job;
  context.batch = ref.batch;
  context.batch_time_us = ref.batch_time_us;
  context.stage = ref.task.stage;
  context.partition = ref.task.partition;
  context.attempt = static_cast<std::uint32_t>(ref.attempt);
  context.fence = Fence(epoch, ref.version);
  context.state = state;
  context.lookups = this;
  context.current_operator = &current_operator_;
  task_ = program.NewTask(context, *this);
}

TaskRun::~TaskRun() = default;

std::optional<TaskError> TaskRun::Feed(RecordBatch& records) {
  return Guard([&] {
    for (auto chunk = records.Next(); !chunk.empty(); chunk = records.Next()) task_->Records(chunk);
  });
}

void TaskRun::Block(std::uint32_t shuffle, std::uint32_t partition, std::string data, std::uint64_t records) {
  blocks_.push_back(MakeBlock({ref_.batch, shuffle, ref_.task.stage, ref_.task.partition, partition}, input_hash_,
                              records, std::move(data)));
}

void TaskRun::Rows(std::uint32_t sink, std::span<const engine::SinkRow> rows) { rows_[sink].Append(rows); }

void TaskRun::Count(std::uint32_t op, std::string_view counter, std::uint64_t add) {
  counts_[{op, std::string(counter)}] += add;
}

std::vector<LookupRow> TaskRun::Find(std::uint32_t op, std::span<const std::string> keys) {
  auto found = lookups_.Find(op, ref_.attempt, keys);
  if (!found.ok()) {
    lookup_error_ = found.status();
    throw std::runtime_error(Message(lookup_error_));
  }
  Count(op, "lookups", keys.size());
  if (found->asked > 0) Count(op, "lookups_sent", found->asked);
  return std::move(found->rows);
}

std::optional<TaskError> TaskRun::Guard(const std::function<void()>& call) {
  const ActiveTask active(&current_operator_, ref_.batch);
  try {
    call();
    return std::nullopt;
  } catch (const std::exception& e) {
    return TaskError{current_operator_, e.what(), IsPermanent(lookup_error_)};
  } catch (...) {
    return TaskError{current_operator_, "something was thrown that is no std::exception"};
  }
}

}  // namespace millrace
