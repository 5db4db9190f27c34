#include "common/event_loop.h"

#include <chrono>

namespace millrace {
namespace {

using Steady = std::chrono::steady_clock;

std::int64_t SteadyUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Steady::now().time_since_epoch()).count();
}

std::int64_t WallUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

EventLoop::EventLoop() : offset_us_(WallUs() - SteadyUs()) {}

std::int64_t EventLoop::now_us() const { return SteadyUs() + offset_us_; }

void EventLoop::Post(Closure closure) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(closure));
  }
  wake_.notify_one();
}

void EventLoop::PostAt(std::int64_t at_us, Closure closure) {
  {
    std::lock_guard lock(mutex_);
    timers_.emplace(at_us, std::move(closure));
  }
  wake_.notify_one();
}

void EventLoop::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
}

std::size_t EventLoop::depth() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void EventLoop::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const std::int64_t now = now_us();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      queue_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    if (queue_.empty()) {
      if (timers_.empty()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, Steady::time_point(std::chrono::microseconds(timers_.begin()->first - offset_us_)));
      }
      continue;
    }
    std::deque<Closure> ready;
    ready.swap(queue_);
    lock.unlock();
    for (Closure& closure : ready) closure();
    ready.clear();  // what closures hold is released outside the lock
    lock.lock();
  }
}

}  // namespace millrace
