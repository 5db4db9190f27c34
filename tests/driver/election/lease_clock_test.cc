#include "driver/election/lease_clock.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr LeaseClock::Time At(std::chrono::milliseconds time) { return LeaseClock::Time(time); }

TEST(LeaseClock, EndsBeforeTheServerCanEndIt) {
  LeaseClock lease;
  lease.Renewed(At(10s), 2s);
  EXPECT_EQ(lease.next_renewal(), At(10'400ms));
  EXPECT_FALSE(lease.Over(At(11'599ms)));
  EXPECT_TRUE(lease.Over(At(11'600ms)));
}

TEST(LeaseClock, CountsFromTheRequestNotFromTheAnswer) {
  LeaseClock lease;
  lease.Renewed(At(10s), 2s);
  lease.Renewed(At(10'400ms), 2s);  // whenever its answer came
  EXPECT_EQ(lease.deadline(), At(12s));
}

TEST(LeaseClock, TakesWhatTheServerGrants) {
  LeaseClock lease;
  lease.Renewed(At(0s), 10s);
  EXPECT_EQ(lease.deadline(), At(8s));
}

TEST(LeaseClock, IsOverBeforeItWasEverGranted) { EXPECT_TRUE(LeaseClock().Over(BootClock::now())); }

TEST(BootClock, NeverRunsBack) {
  const auto before = BootClock::now();
  EXPECT_GE(BootClock::now(), before);
}

}  // namespace
}  // namespace millrace
