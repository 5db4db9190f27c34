// StateTimers against a std::set: with both backends, through moves of the state, with timers that set timers.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "millrace/internal/state_timers.h"
#include "tests/sdk/map_store.h"

namespace millrace::detail {
namespace {

struct Alarms : OperatorState {
  explicit Alarms(const StateSetup& setup) : OperatorState(setup), timers(*this, "timers") {}
  StateTimers<std::string> timers;
};

// Counts what is read.
class CountingStore : public MapStore {
 public:
  void Scan(std::string_view from, std::string_view to,
            const std::function<bool(std::string_view, std::string_view)>& visit) override {
    ++scans;
    MapStore::Scan(from, to, [&](std::string_view key, std::string_view value) {
      ++visited;
      return visit(key, value);
    });
  }
  std::size_t scans = 0;
  std::size_t visited = 0;
};

using Popped = std::vector<std::pair<std::int64_t, std::string>>;

class StateTimersTest : public testing::TestWithParam<bool> {
 protected:
  StateTimersTest() { description_.uid = "u"; }

  std::unique_ptr<Alarms> Make() {
    auto alarms = std::make_unique<Alarms>(StateSetup{&description_, 0, 128, GetParam() ? &store_ : nullptr});
    if (!GetParam()) {
      for (const auto& [key, value] : entries_) alarms->Load(std::string_view(key).substr(2), value);
    }
    alarms->Loaded();
    return alarms;
  }
  void Move(std::unique_ptr<Alarms>& alarms) {
    if (!GetParam()) {
      MapChanges changes(entries_);
      alarms->TakeChanges(changes);
      EXPECT_FALSE(alarms->TakeMore(1));
    }
    alarms = Make();
  }
  static void Set(Alarms& alarms, std::int64_t time, const std::string& key) {
    alarms.timers.Set(time, HashOf(key), key);
  }
  static Popped PopDue(Alarms& alarms, std::int64_t until) {
    Popped popped;
    alarms.timers.PopDue(until, [&](std::int64_t time, std::uint64_t hash, const std::string& key) {
      EXPECT_EQ(hash, HashOf(key));
      popped.emplace_back(time, key);
    });
    return popped;
  }

  engine::OperatorDescription description_;
  CountingStore store_;
  std::map<std::string, std::string> entries_;
};

TEST_P(StateTimersTest, GoOffByTimeAndKeyOnce) {
  auto alarms = Make();
  EXPECT_EQ(alarms->timers.next(), std::nullopt);
  for (const auto& [time, key] :
       Popped{{5, "b"}, {-7, "z"}, {5, "a"}, {300, "a"}, {5, "b"}, {INT64_MIN, "q"}, {6, "a"}}) {
    Set(*alarms, time, key);
  }
  alarms->timers.Erase(6, HashOf(std::string("a")), "a");
  alarms->timers.Erase(6, HashOf(std::string("b")), "b");
  EXPECT_EQ(alarms->timers.next(), INT64_MIN);
  EXPECT_EQ(PopDue(*alarms, -8), (Popped{{INT64_MIN, "q"}}));
  EXPECT_EQ(PopDue(*alarms, 5), (Popped{{-7, "z"}, {5, "a"}, {5, "b"}}));
  EXPECT_EQ(PopDue(*alarms, 299), Popped{});
  EXPECT_EQ(alarms->timers.next(), 300);
  EXPECT_EQ(PopDue(*alarms, 300), (Popped{{300, "a"}}));
  EXPECT_EQ(PopDue(*alarms, INT64_MAX), Popped{});
}

TEST_P(StateTimersTest, MaySetAndEraseTimersWhileTheyGoOff) {
  auto alarms = Make();
  Set(*alarms, 1, "a");
  Set(*alarms, 3, "c");
  Set(*alarms, 9, "d");
  Popped popped;
  alarms->timers.PopDue(10, [&](std::int64_t time, std::uint64_t, const std::string& key) {
    popped.emplace_back(time, key);
    if (key != "a") return;
    if (time < 3) Set(*alarms, time + 1, key);
    if (time == 1) Set(*alarms, 11, key);
    if (time == 2) alarms->timers.Erase(3, HashOf(std::string("c")), "c");
    if (time == 2) Set(*alarms, 0, "early");
  });
  EXPECT_EQ(popped, (Popped{{1, "a"}, {2, "a"}, {0, "early"}, {3, "a"}, {9, "d"}}));
  EXPECT_EQ(PopDue(*alarms, 11), (Popped{{11, "a"}}));
}

TEST_P(StateTimersTest, AgreesWithASetThroughMoves) {
  std::mt19937_64 random(3);
  std::set<std::pair<std::int64_t, std::string>> model;
  auto alarms = Make();
  const auto encoded_less = [](const auto& a, const auto& b) {
    return std::pair(a.first, ToBytes(a.second)) < std::pair(b.first, ToBytes(b.second));
  };
  for (std::int64_t now = 0; now < 400; ++now) {
    for (int i = 0; i < 150; ++i) {
      const std::pair<std::int64_t, std::string> timer(now + static_cast<std::int64_t>(random() % 300),
                                                       std::to_string(random() % 200));
      if (random() % 4 == 0) {
        alarms->timers.Erase(timer.first, HashOf(timer.second), timer.second);
        model.erase(timer);
      } else {
        Set(*alarms, timer.first, timer.second);
        model.insert(timer);
      }
    }
    if (now % 90 == 40) Move(alarms);
    Popped due;
    while (!model.empty() && model.begin()->first <= now) due.push_back(*model.begin()), model.erase(model.begin());
    std::sort(due.begin(), due.end(), encoded_less);
    ASSERT_EQ(PopDue(*alarms, now), due) << now;
    ASSERT_EQ(alarms->timers.next(), model.empty() ? std::nullopt : std::optional(model.begin()->first));
  }
}

TEST_P(StateTimersTest, LeavesNothingBehind) {
  auto alarms = Make();
  for (int i = 0; i < 5'000; ++i) Set(*alarms, i, std::to_string(i % 100));
  EXPECT_EQ(PopDue(*alarms, INT64_MAX).size(), 5'000U);
  Move(alarms);
  EXPECT_TRUE(entries_.empty());
  EXPECT_TRUE(store_.entries.empty());
  EXPECT_EQ(alarms->timers.bytes(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Backends, StateTimersTest, testing::Bool(),
                         [](const auto& backend) { return backend.param ? "Stored" : "InMemory"; });

TEST(StoredTimers, ReadNothingWhileNothingIsDueAndLittleWhenSomethingIs) {
  engine::OperatorDescription description;
  description.uid = "u";
  description.partitions = 4;
  CountingStore store;
  Alarms alarms(StateSetup{&description, 1, 128, &store});
  std::size_t mine = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string key = std::to_string(i);
    if (PartitionOfGroup(KeyGroupOf(HashOf(key), 128), 128, 4) != 1) continue;
    alarms.timers.Set(1'000 + i, HashOf(key), key);
    ++mine;
  }
  std::size_t popped = 0;
  const auto count = [&](auto...) { ++popped; };
  alarms.timers.PopDue(999, count);
  const std::size_t opened = store.scans;
  EXPECT_EQ(opened, 32U);  // one look at each group of the partition
  for (std::int64_t now = 0; now < 999; ++now) alarms.timers.PopDue(now, count);
  EXPECT_EQ(store.scans, opened);
  EXPECT_EQ(popped, 0U);
  alarms.timers.PopDue(INT64_MAX, count);
  EXPECT_EQ(popped, mine);
  EXPECT_LT(store.visited, mine + mine / 8);
}

}  // namespace
}  // namespace millrace::detail
