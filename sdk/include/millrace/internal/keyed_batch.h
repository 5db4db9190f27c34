// The batch that a task computes, as user code sees it. A pure function.
#pragma once

#include <chrono>

#include "millrace/batch_context.h"
#include "millrace/engine.h"

namespace millrace::detail {

inline BatchContext BatchOf(const engine::TaskContext& task) {
  BatchContext batch;
  batch.job = task.job;
  batch.batch = task.batch;
  batch.time = std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(task.batch_time_us));
  batch.stage = task.stage;
  batch.partition = task.partition;
  batch.fence = task.fence;
  return batch;
}

}  // namespace millrace::detail
