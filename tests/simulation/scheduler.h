// Simulated time: what is to happen, in order of time and, at one time, in the order in which it was asked for. One
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace millrace::simulation {

class Scheduler {
 public:
  explicit Scheduler(std::int64_t now) : now_(now) {}

  std::int64_t now() const { return now_; }
  void At(std::int64_t time, std::function<void()> what) {
    queue_.emplace(std::pair(time < now_ ? now_ : time, ++sequence_), std::move(what));
  }
  void In(std::int64_t delay, std::function<void()> what) { At(now_ + delay, std::move(what)); }
  // Does the next thing that is due by `end`; false, and the clock at `end`, when there is none.
  bool RunNext(std::int64_t end) {
    if (queue_.empty() || queue_.begin()->first.first > end) {
      now_ = end;
      return false;
    }
    auto node = queue_.extract(queue_.begin());
    now_ = node.key().first;
    node.mapped()();
    return true;
  }

 private:
  std::int64_t now_;
  std::uint64_t sequence_ = 0;
  std::map<std::pair<std::int64_t, std::uint64_t>, std::function<void()>> queue_;
};

}  // namespace millrace::simulation
