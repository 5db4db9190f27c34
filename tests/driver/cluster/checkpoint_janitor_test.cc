#include "driver/cluster/checkpoint_janitor.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

constexpr std::int64_t kInterval = 1'000;
using Jobs = std::map<std::string, bool>;

TEST(CheckpointJanitor, ALiveJobIsLookedThroughAgainAndAgain) {
  CheckpointJanitor janitor(kInterval);
  const Jobs jobs{{"j-1", false}};
  EXPECT_FALSE(janitor.Next(0, jobs)) << "not at once";
  const auto first = janitor.Next(1'000, jobs);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->job, "j-1");
  EXPECT_FALSE(first->all);
  EXPECT_FALSE(janitor.Next(5'000, jobs)) << "one at a time";
  EXPECT_FALSE(janitor.Answered(5'000, first->request, true, false));
  EXPECT_FALSE(janitor.Next(5'500, jobs));
  EXPECT_TRUE(janitor.Next(6'000, jobs));
}

TEST(CheckpointJanitor, AnEndedJobIsLookedThroughOnce) {
  CheckpointJanitor janitor(kInterval);
  janitor.Next(0, {{"j-1", false}});
  EXPECT_FALSE(janitor.Next(1'000, {{"j-1", true}})) << "its runners may still be there";
  const auto sweep = janitor.Next(2'000, {{"j-1", true}});
  ASSERT_TRUE(sweep);
  janitor.Answered(2'000, sweep->request, false, false);
  const auto again = janitor.Next(3'000, {{"j-1", true}});
  ASSERT_TRUE(again) << "it did not work";
  janitor.Answered(3'000, again->request, true, false);
  EXPECT_FALSE(janitor.Next(10'000, {{"j-1", true}}));
}

TEST(CheckpointJanitor, AForgottenJobIsGoneWhenItsFilesAre) {
  CheckpointJanitor janitor(kInterval);
  janitor.Forget("j-1");
  const auto sweep = janitor.Next(0, {});
  ASSERT_TRUE(sweep);
  EXPECT_TRUE(sweep->all);
  EXPECT_FALSE(janitor.Answered(10, sweep->request, false, false));
  EXPECT_FALSE(janitor.Next(10, {}));
  const auto needed = janitor.Next(1'010, {});
  EXPECT_FALSE(janitor.Answered(1'015, needed->request, true, true)) << "another job needs some";
  const auto again = janitor.Next(2'015, {});
  ASSERT_TRUE(again);
  EXPECT_FALSE(janitor.Answered(1'020, sweep->request, true, false)) << "an old answer";
  EXPECT_EQ(janitor.Answered(1'020, again->request, true, false), "j-1");
  EXPECT_FALSE(janitor.Next(100'000, {}));
}

TEST(CheckpointJanitor, AnAnswerThatDoesNotComeIsNotWaitedForForever) {
  CheckpointJanitor janitor(kInterval);
  janitor.Forget("j-1");
  const auto first = janitor.Next(0, {});
  EXPECT_FALSE(janitor.Next(599'000'000, {}));
  const auto second = janitor.Next(600'000'000, {});
  ASSERT_TRUE(second);
  EXPECT_NE(first->request, second->request);
}

}  // namespace
}  // namespace millrace
