// MapWithState against a std::map: with both backends, many partitions, empty batches, timeouts at their edges, and the
// state saved and restored in the middle.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;
using Value = std::optional<std::string_view>;
using Handle = StateHandle<std::string>;
constexpr std::uint64_t kAll = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000;

// "key:value"
auto Pairs(JobContext& ctx) {
  return ctx.TextFiles({.directory = "d"}).Map([](std::string_view t) {
    return std::pair(t.substr(0, t.find(':')), t.substr(t.find(':') + 1));
  });
}

// Appends the value to the state; "-" removes it, "?" only looks.
std::string Follow(const std::string& key, Value value, Handle& state) {
  if (state.IsTimingOut()) return key + " ends with " + state.Get();
  if (*value == "-") {
    state.Remove();
    return key + " is removed";
  }
  if (*value != "?") state.Update(state.GetOr("") + std::string(*value));
  return key + " has " + state.GetOr("nothing");
}

struct Case {
  bool stored;
  std::int64_t timeout_s;
  std::int64_t partitions;
  std::size_t splits;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.partitions << "x" << c.splits; }
};

class MapWithStateTest : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::uint32_t kRecords = 3;    // the sink of what the function gives
  static constexpr std::uint32_t kSnapshots = 5;  // the sink of the snapshots

  static Harness Make() {
    Harness job([](JobContext& ctx) {
      const auto states = Pairs(ctx).MapWithState(
          StateSpec(Follow).Partitions(GetParam().partitions).Timeout(std::chrono::seconds(GetParam().timeout_s)));
      states.Print(kAll);
      states.StateSnapshots().Print(kAll);
    });
    job.stored = GetParam().stored;
    return job;
  }
  static std::vector<Harness::Split> Records(std::mt19937_64& random, std::size_t count) {
    std::vector<Harness::Split> splits(GetParam().splits);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string values = "-?abcdefghij";
      splits[i % splits.size()].push_back("k" + std::to_string(random() % 60) + ":" + values[random() % values.size()]);
    }
    return splits;
  }

  struct Model {
    struct State {
      std::string text;
      std::int64_t touched_us;
    };
    std::map<std::string, State> states;
    Texts records;
    Texts snapshots;

    void Run(const std::vector<Harness::Split>& splits, std::int64_t now_us) {
      records.clear();
      snapshots.clear();
      for (const auto& split : splits) {
        for (const std::string& record : split) {
          Visit(record.substr(0, record.find(':')), record.substr(record.find(':') + 1), now_us);
        }
      }
      const std::int64_t timeout_us = GetParam().timeout_s * kSecond;
      for (auto at = states.begin(); at != states.end();) {
        if (timeout_us > 0 && now_us >= at->second.touched_us + timeout_us) {
          records.push_back(at->first + " ends with " + at->second.text);
          at = states.erase(at);
        } else {
          snapshots.push_back("(" + at->first + ", " + at->second.text + ")");
          ++at;
        }
      }
      std::sort(records.begin(), records.end());
      std::sort(snapshots.begin(), snapshots.end());
    }
    void Visit(const std::string& key, const std::string& value, std::int64_t now_us) {
      if (value == "-") {
        states.erase(key);
        return records.push_back(key + " is removed");
      }
      auto at = states.find(key);
      if (value != "?") {
        if (at == states.end()) at = states.emplace(key, State{"", 0}).first;
        at->second.text += value;
      }
      if (at != states.end()) at->second.touched_us = now_us;
      records.push_back(key + " has " + (at == states.end() ? "nothing" : at->second.text));
    }
  };
};

TEST_P(MapWithStateTest, AgreesWithAMap) {
  std::mt19937_64 random(21);
  Model model;
  Harness job = Make();
  for (int batch = 0; batch < 60; ++batch) {
    job.time_us += static_cast<std::int64_t>(random() % 4) * kSecond / 2;
    const auto splits = Records(random, batch % 7 == 3 ? 0 : random() % 40);
    job.Feed(0, splits);
    job.RunBatch();
    model.Run(splits, job.time_us);
    ASSERT_EQ(job.sorted_texts(kRecords), model.records) << batch;
    ASSERT_EQ(job.sorted_texts(kSnapshots), model.snapshots) << batch;
    if (batch % 9 == 5) job.Restore();
  }
}

TEST_P(MapWithStateTest, ARestoreChangesNothingNotEvenTheOrder) {
  std::mt19937_64 random(22);
  Harness plain = Make();
  Harness moved = Make();
  for (int batch = 0; batch < 40; ++batch) {
    const auto splits = Records(random, random() % 30);
    const auto pause = static_cast<std::int64_t>(random() % 3) * kSecond;
    for (Harness* job : {&plain, &moved}) {
      job->time_us += pause;
      job->Feed(0, splits);
      job->RunBatch();
    }
    moved.Restore();
    ASSERT_EQ(plain.texts(kRecords), moved.texts(kRecords)) << batch;
    ASSERT_EQ(plain.texts(kSnapshots), moved.texts(kSnapshots)) << batch;
  }
}

// However often records come, timers do not pile up; and none stays when its key is gone.
TEST_P(MapWithStateTest, AKeyHasOneTimerAtMost) {
  std::mt19937_64 random(23);
  Harness job = Make();
  for (int batch = 0; batch < 60; ++batch) {
    job.time_us += kSecond / 4;
    job.Feed(0, Records(random, 50));
    job.RunBatch();
    std::size_t states = 0;
    std::size_t timers = 0;
    for (const auto& [key, value] : job.StateEntries()) {
      states += key.find("states") != std::string::npos ? 1 : 0;
      timers += key.find("timers") != std::string::npos ? 1 : 0;
    }
    ASSERT_EQ(timers, GetParam().timeout_s == 0 ? 0 : states) << batch;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, MapWithStateTest,
                         testing::Values(Case{false, 0, 1, 1}, Case{true, 0, 3, 2}, Case{false, 3, 1, 1},
                                         Case{true, 3, 1, 2}, Case{false, 5, 4, 3}, Case{true, 5, 7, 1},
                                         Case{false, 2, 128, 2}, Case{true, 2, 128, 2}),
                         [](const auto& shape) {
                           const Case& c = shape.param;
                           return std::string(c.stored ? "Stored" : "InMemory") + "Timeout" +
                                  std::to_string(c.timeout_s) + "Shape" + std::to_string(c.partitions) + "x" +
                                  std::to_string(c.splits);
                         });

class MapBackendTest : public testing::TestWithParam<bool> {
 protected:
  Harness Make(const Harness::Body& body) {
    Harness job(body);
    job.stored = GetParam();
    return job;
  }
  static Texts Run(Harness& job, std::int64_t time_us, const Harness::Split& records) {
    job.time_us = time_us;
    job.Feed(0, {records});
    job.RunBatch();
    return job.texts(3);
  }
};

TEST_P(MapBackendTest, TimesOutInTheEdgeBatchAndNotBefore) {
  Harness job = Make([](JobContext& ctx) {
    Pairs(ctx).MapWithState(StateSpec(Follow).Timeout(std::chrono::seconds(10)).Partitions(1)).Print(kAll);
  });
  EXPECT_EQ(Run(job, 100, {"a:1", "b:1", "c:1"}), (Texts{"a has 1", "b has 1", "c has 1"}));
  EXPECT_EQ(Run(job, 5 * kSecond, {"b:2"}), Texts{"b has 12"});
  EXPECT_EQ(Run(job, 10 * kSecond + 99, {}), Texts{});
  job.Restore();
  EXPECT_EQ(Run(job, 10 * kSecond + 100, {"c:?"}), (Texts{"c has 1", "a ends with 1"}));  // c's record came in time
  EXPECT_EQ(Run(job, 15 * kSecond - 1, {}), Texts{});
  EXPECT_EQ(Run(job, 15 * kSecond, {"a:3"}), (Texts{"a has 3", "b ends with 12"}));
  EXPECT_EQ(Run(job, 100 * kSecond, {}), (Texts{"c ends with 1", "a ends with 3"}));  // by when they became idle
  EXPECT_EQ(Run(job, 200 * kSecond, {}), Texts{});
}

TEST_P(MapBackendTest, TheInitialStateComesInOnceAndTimesOut) {
  const std::vector<std::pair<std::string, std::string>> initial = {{"a", "x"}, {"b", "y"}, {"c", "z"}};
  Harness job = Make([&](JobContext& ctx) {
    Pairs(ctx)
        .MapWithState(StateSpec(Follow).InitialState(initial).Timeout(std::chrono::seconds(10)).Partitions(1))
        .Print(kAll);
  });
  EXPECT_EQ(Run(job, kSecond, {"a:1", "c:-"}), (Texts{"a has x1", "c is removed"}));
  job.Restore();
  EXPECT_EQ(Run(job, 2 * kSecond, {"a:2", "c:?"}), (Texts{"a has x12", "c has nothing"}));
  EXPECT_EQ(Run(job, 11 * kSecond, {"a:?"}), (Texts{"a has x12", "b ends with y"}));
  job.Restore();
  EXPECT_EQ(Run(job, 12 * kSecond, {"b:?"}), Texts{"b has nothing"});
}

TEST_P(MapBackendTest, GivesNothingForAnEmptyOptionalAndSeesTheBatch) {
  Harness job = Make([](JobContext& ctx) {
    Pairs(ctx)
        .MapWithState(StateSpec([](std::string_view key, Value, StateHandle<int>& count,
                                   const BatchContext& batch) -> std::optional<std::tuple<std::string, int, long>> {
                        count.Update(count.GetOr(0) + 1);
                        if (count.Get() % 2 == 1) return std::nullopt;
                        return std::tuple(std::string(key), count.Get(), batch.time.time_since_epoch().count());
                      }).Partitions(1))
        .Print(kAll);
  });
  EXPECT_EQ(Run(job, 5, {"a:", "b:", "a:"}), Texts{"(a, 2, 5)"});
  EXPECT_EQ(Run(job, 6, {"b:", "a:"}), Texts{"(b, 2, 6)"});
}

TEST_P(MapBackendTest, ViewsThatAFunctionGivesAreCopiedAtOnce) {
  Harness job = Make([](JobContext& ctx) {
    Pairs(ctx)
        .MapWithState(StateSpec([](std::string_view, Value value, Handle& state) {
                        state.Update(std::string(*value));
                        return std::string_view(state.Get());
                      }).Partitions(1))
        .Print(kAll);
  });
  const std::string longer(50, 'x');
  EXPECT_EQ(Run(job, 5, {"a:1", "a:" + longer, "a:3"}), (Texts{"1", longer, "3"}));
}

TEST_P(MapBackendTest, ChangesInPlace) {
  Harness job = Make([](JobContext& ctx) {
    Pairs(ctx)
        .MapWithState(StateSpec([](std::string_view, Value value, StateHandle<std::vector<std::string>>& state) {
                        if (!state.Exists()) state.Update({});
                        state.Mutable().emplace_back(*value);
                        return state.Get().size();
                      }).Partitions(1))
        .Print(kAll);
  });
  EXPECT_EQ(Run(job, 5, {"a:1", "a:2", "b:1"}), (Texts{"1", "2", "1"}));
  job.Restore();
  EXPECT_EQ(Run(job, 6, {"a:3"}), Texts{"3"});
}

TEST_P(MapBackendTest, WhatAStateDoesNotAllow) {
  const auto expect = [this](void (*f)(Handle&), const std::string& text) {
    Harness job = Make([&](JobContext& ctx) {
      Pairs(ctx)
          .MapWithState(StateSpec([f](std::string_view, Value value, Handle& state) {
                          if (value && *value != "new") state.Update("1");
                          if (!value || *value == "new") f(state);
                          return 0;
                        })
                            .Timeout(std::chrono::seconds(1))
                            .Partitions(1))
          .Print();
    });
    const bool is_new = text.find("has none") != std::string::npos;
    Run(job, 0, {"a:1"});
    try {
      Run(job, kSecond, is_new ? Harness::Split{"b:new"} : Harness::Split{});
      ADD_FAILURE() << "not refused: " << text;
    } catch (const std::logic_error& e) {
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
  };
  expect([](Handle& state) { state.Update("2"); }, "it is timing out and will be removed");
  expect([](Handle& state) { state.Remove(); }, "it is timing out and will be removed");
  expect([](Handle& state) { state.Mutable() = ""; }, "it is timing out and will be removed");
  expect([](Handle& state) { (void)state.Get(); }, "the key has none; ask Exists() first");
  expect([](Handle& state) { (void)state.Mutable(); }, "the key has none; Update it first");

  Harness job = Make([&](JobContext& ctx) {
    Pairs(ctx)
        .MapWithState(StateSpec([](std::string_view, Value, Handle& state) {
          state.Remove();
          state.Update("2");
          return 0;
        }))
        .Print();
  });
  EXPECT_THROW(Run(job, 0, {"a:1"}), std::logic_error);
}

INSTANTIATE_TEST_SUITE_P(Backends, MapBackendTest, testing::Bool(),
                         [](const auto& backend) { return backend.param ? "Stored" : "InMemory"; });

TEST(MapWithStatePlan, SnapshotsThatNobodyUsesAreNotInThePlan) {
  for (const bool used : {false, true}) {
    Harness job([&](JobContext& ctx) {
      const auto states = Pairs(ctx).MapWithState(StateSpec(Follow)).Uid("follow");
      const auto snapshots = states.StateSnapshots();
      states.Print();
      if (used) snapshots.Print();
    });
    const auto& stage = job.graph().stages[1];
    EXPECT_EQ(std::ranges::count(stage.operators, 3U), used ? 1 : 0);
    EXPECT_EQ(job.graph().operators[3].name, "StateSnapshots");
    EXPECT_TRUE(job.graph().operators[3].side);
    EXPECT_EQ(job.graph().operators[2].uid, "follow");
    EXPECT_EQ(job.graph().operators[2].state, "MapWithState of std::string to std::string");
    EXPECT_TRUE(stage.stateful);
  }
}

TEST(MapWithStatePlan, SnapshotsAlone) {
  Harness job([](JobContext& ctx) {
    Pairs(ctx)
        .MapWithState(StateSpec<int>([](const auto&, const auto&, auto& count) {
          count.Update(count.GetOr(0) + 1);
          return 0;
        }))
        .StateSnapshots()
        .Print();
  });
  job.Feed(0, {{"a:1", "b:1", "a:2"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(4), (Texts{"(a, 2)", "(b, 1)"}));
}

TEST(MapWithStatePlan, Refusals) {
  const auto expect = [](const Harness::Body& body, const std::string& text) {
    try {
      Harness job(body);
      ADD_FAILURE() << "not refused: " << text;
    } catch (const std::invalid_argument& e) {
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("MapWithState at stateful_map_test.cc:"), std::string::npos) << e.what();
    }
  };
  expect([](JobContext& ctx) { Pairs(ctx).MapWithState(StateSpec(Follow).Partitions(-1)).Print(); },
         "-1 partitions are not possible");
  expect([](JobContext& ctx) { Pairs(ctx).MapWithState(StateSpec(Follow).Timeout(std::chrono::seconds(-1))).Print(); },
         "its timeout is not possible");
  expect(
      [](JobContext& ctx) {
        std::vector<std::pair<std::string, std::string>> twice = {{"a", "1"}, {"a", "2"}};
        Pairs(ctx).MapWithState(StateSpec(Follow).InitialState(twice)).Print();
      },
      "its initial state has a key twice, at index 1");
}

}  // namespace
}  // namespace millrace
