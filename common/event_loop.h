// The control thread of a daemon: takes closures in order, and timers. Everything a daemon decides happens here;
// handlers of RPCs and workers only post. The loop's clock is the wall's time read once and moved on by the steady
// clock, so that a stepped wall clock changes nothing.
//
//   EventLoop loop;
//   loop.Post([&] { master.Step(loop.now_us(), Tick{}, &actions); });
//   loop.Run();  // until Stop()
//
// Thread rule: Post, PostAt, Stop and now_us from any thread; closures run on the thread in Run. Bounded by its
// callers: streams post one message at a time, workers one result a task. depth() tells how much waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>

namespace millrace {

class EventLoop {
 public:
  using Closure = std::function<void()>;

  EventLoop();
  void Post(Closure closure);
  // Runs at or after `at_us` of now_us(). Timers are not cancelled: what they call must check whether it still matters.
  void PostAt(std::int64_t at_us, Closure closure);
  void Run();
  void Stop();
  std::int64_t now_us() const;
  std::size_t depth() const;

 private:
  const std::int64_t offset_us_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Closure> queue_;
  std::multimap<std::int64_t, Closure> timers_;
  bool stopped_ = false;
};

}  // namespace millrace
