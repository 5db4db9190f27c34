// Work on the state of one partition, one piece after the other, in order: a task, a restore, a snapshot. Pieces of
// different partitions run side by side on the workers.
//
// Thread rule: Post on the loop's thread; the pieces run on workers. `loop` and `workers` outlive it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <utility>

#include "common/dataflow/messages.h"
#include "common/event_loop.h"
#include "executor/runner/worker_pool.h"

namespace millrace {

class StateStrands {
 public:
  StateStrands(EventLoop& loop, WorkerPool& workers) : loop_(loop), workers_(workers) {}

  void Post(TaskKey task, std::function<void()> piece) {
    std::deque<std::function<void()>>& queue = queues_[task];
    queue.push_back(std::move(piece));
    if (queue.size() == 1) RunFirst(task);
  }

 private:
  void RunFirst(TaskKey task) {
    workers_.Post([this, task, piece = queues_[task].front()] {
      piece();
      loop_.Post([this, task] { Next(task); });
    });
  }
  void Next(TaskKey task) {
    const auto queue = queues_.find(task);
    queue->second.pop_front();
    if (queue->second.empty()) {
      queues_.erase(queue);
    } else {
      RunFirst(task);
    }
  }

  EventLoop& loop_;
  WorkerPool& workers_;
  std::map<TaskKey, std::deque<std::function<void()>>> queues_;  // the first of each is running
};

}  // namespace millrace
