#include "common/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/nearest.h"

namespace millrace {
namespace {

TEST(EventLoop, RunsClosuresInOrderAndTimersByTime) {
  EventLoop loop;
  std::vector<int> order;
  const std::int64_t now = loop.now_us();
  loop.PostAt(now + 20'000, [&] { order.push_back(4), loop.Stop(); });
  loop.PostAt(now + 10'000, [&] { order.push_back(3); });
  loop.Post([&] { order.push_back(1); });
  loop.Post([&] { order.push_back(2); });
  loop.Run();
  EXPECT_THAT(order, testing::ElementsAre(1, 2, 3, 4));
  EXPECT_GE(loop.now_us(), now + 20'000);
}

TEST(EventLoop, TakesClosuresFromManyThreads) {
  EventLoop loop;
  int sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i)
        loop.Post([&] {
          if (++sum == 4000) loop.Stop();
        });
    });
  }
  loop.Run();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sum, 4000);
}

TEST(Nearest, FindsWhatWasMeant) {
  constexpr std::string_view kWords[] = {"topics", "brokers", "start"};
  EXPECT_EQ(Nearest("topcis", kWords), "topics");
  EXPECT_EQ(Nearest("broker", kWords), "brokers");
  EXPECT_EQ(Nearest("zebra", kWords), "");
  EXPECT_EQ(DidYouMean("strat", kWords), ", did you mean 'start'?");
}

}  // namespace
}  // namespace millrace
