// A fixed number of threads that run closures in the order in which they come. Closures may wait for I/O but not for
// each other. The queue is bounded by its users: the core hands out one task a partition.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace millrace {

class WorkerPool {
 public:
  // `prepare` runs first on each thread.
  WorkerPool(std::string name, std::size_t threads, std::function<void()> prepare);
  // Drops what has not begun and waits for what has.
  ~WorkerPool();
  void Post(std::function<void()> work);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace
