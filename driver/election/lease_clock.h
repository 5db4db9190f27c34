// When a lease that is kept alive ends, by our own clock, and when to renew it. Pure: time is passed in.
//
//   LeaseClock lease;
//   lease.Renewed(sent, ttl);            // `sent`: before the request went out, so never later than the server's start
//   of it if (lease.Over(BootClock::now())) …  // ours no longer, whatever the server thinks
//
// The holder gives up a fifth of the lease before the server can: that is for clocks that run at different speeds and
// for the time between looking at the clock and acting. BootClock runs on while the process, or the machine, sleeps.
#pragma once

#include <time.h>

#include <chrono>

namespace millrace {

struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;

  static time_point now() {
    timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
  }
};

class LeaseClock {
 public:
  using Time = BootClock::time_point;

  void Renewed(Time sent, std::chrono::nanoseconds ttl) {
    sent_ = sent;
    ttl_ = ttl;
  }
  Time next_renewal() const { return sent_ + ttl_ / 5; }
  Time deadline() const { return sent_ + ttl_ - ttl_ / 5; }
  bool Over(Time now) const { return now >= deadline(); }

 private:
  Time sent_{};
  std::chrono::nanoseconds ttl_{0};
};

}  // namespace millrace
