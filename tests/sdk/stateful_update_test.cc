// UpdateStateByKey against a std::map: with both backends, many partitions, empty batches, and the state saved and
// restored in the middle.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;
using Old = std::optional<std::string>;
using Values = std::span<const std::string_view>;
constexpr std::uint64_t kAll = 1'000'000;

// "key:value"
auto Pairs(JobContext& ctx) {
  return ctx.TextFiles({.directory = "d"}).Map([](std::string_view t) {
    return std::pair(t.substr(0, t.find(':')), t.substr(t.find(':') + 1));
  });
}
std::uint32_t Last(const Harness& job) { return static_cast<std::uint32_t>(job.graph().operators.size() - 1); }

// Remembers all values; "-" removes the key; a batch without values adds a dot.
Old Remember(std::string_view, Values values, Old old) {
  std::string all = old.value_or("");
  if (values.empty()) all += '.';
  for (const std::string_view value : values) {
    if (value == "-") return std::nullopt;
    all += value;
  }
  return all;
}

struct Case {
  bool stored;
  bool sweep;
  std::int64_t partitions;
  std::size_t splits;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.partitions << "x" << c.splits; }
};

class UpdateStateTest : public testing::TestWithParam<Case> {
 protected:
  static Harness Make() {
    Harness job([](JobContext& ctx) {
      Pairs(ctx)
          .UpdateStateByKey(Remember, {.partitions = GetParam().partitions, .sweep = GetParam().sweep})
          .Print(kAll);
    });
    job.stored = GetParam().stored;
    return job;
  }
  static std::vector<Harness::Split> Records(std::mt19937_64& random, std::size_t count) {
    std::vector<Harness::Split> splits(GetParam().splits);
    for (std::size_t i = 0; i < count; ++i) {
      std::string value = random() % 5 == 0 ? "-" : std::string(1, static_cast<char>('a' + random() % 26));
      splits[i % splits.size()].push_back("k" + std::to_string(random() % 60) + ":" + value);
    }
    return splits;
  }
  static Texts Model(std::map<std::string, std::string>& states, const std::vector<Harness::Split>& splits) {
    std::map<std::string, std::vector<std::string_view>> batch;
    for (const auto& split : splits) {
      for (const std::string& record : split) {
        batch[record.substr(0, record.find(':'))].push_back(std::string_view(record).substr(record.find(':') + 1));
      }
    }
    if (GetParam().sweep) {
      for (const auto& [key, state] : states) batch[key];
    }
    Texts texts;
    for (const auto& [key, values] : batch) {
      const auto at = states.find(key);
      const Old made = Remember(key, values, at == states.end() ? Old() : Old(at->second));
      states.erase(key);
      if (!made) continue;
      states[key] = *made;
      texts.push_back(TextOf(std::pair(key, *made)));
    }
    std::sort(texts.begin(), texts.end());
    return texts;
  }
};

TEST_P(UpdateStateTest, AgreesWithAMap) {
  std::mt19937_64 random(11);
  std::map<std::string, std::string> states;
  Harness job = Make();
  for (int batch = 0; batch < 40; ++batch) {
    const auto splits = Records(random, batch % 7 == 3 ? 0 : random() % 80);
    job.Feed(0, splits);
    job.RunBatch();
    ASSERT_EQ(job.sorted_texts(Last(job)), Model(states, splits)) << batch;
    if (batch % 9 == 5) job.Restore();
  }
}

TEST_P(UpdateStateTest, ARestoreChangesNothingNotEvenTheOrder) {
  std::mt19937_64 random(12);
  Harness plain = Make();
  Harness moved = Make();
  for (int batch = 0; batch < 30; ++batch) {
    const auto splits = Records(random, random() % 40);
    for (Harness* job : {&plain, &moved}) {
      job->Feed(0, splits);
      job->RunBatch();
    }
    moved.Restore();
    ASSERT_EQ(plain.texts(Last(plain)), moved.texts(Last(moved))) << batch;
  }
  const auto keys = [](Harness& job) {
    Texts all;
    for (const auto& [key, value] : job.StateEntries()) all.push_back(key);
    return all;
  };
  EXPECT_EQ(keys(plain), keys(moved));
}

INSTANTIATE_TEST_SUITE_P(Shapes, UpdateStateTest,
                         testing::Values(Case{false, true, 1, 1}, Case{true, true, 1, 3}, Case{false, true, 4, 5},
                                         Case{true, true, 7, 2}, Case{false, false, 3, 2}, Case{true, false, 3, 2},
                                         Case{false, true, 128, 1}, Case{true, false, 128, 3}),
                         [](const auto& shape) {
                           const Case& c = shape.param;
                           return std::string(c.stored ? "Stored" : "InMemory") + (c.sweep ? "Sweep" : "Touched") +
                                  std::to_string(c.partitions) + "x" + std::to_string(c.splits);
                         });

class UpdateBackendTest : public testing::TestWithParam<bool> {
 protected:
  Harness Make(const Harness::Body& body) {
    Harness job(body);
    job.stored = GetParam();
    return job;
  }
};

TEST_P(UpdateBackendTest, KeysThatAreNewFollowThoseThatAreKnown) {
  Harness job = Make([](JobContext& ctx) { Pairs(ctx).UpdateStateByKey(Remember, 1).Print(); });
  job.Feed(0, {{"b:1", "a:2", "b:3"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), (Texts{"(b, 13)", "(a, 2)"}));
  job.Feed(0, {{"c:1", "a:4", "d:-"}});
  job.RunBatch();
  Texts texts = job.texts(Last(job));
  if (GetParam()) std::sort(texts.begin(), texts.begin() + 2, std::greater<>());  // known ones by their bytes
  EXPECT_EQ(texts, (Texts{"(b, 13.)", "(a, 24)", "(c, 1)"}));
}

TEST_P(UpdateBackendTest, TheInitialStateComesInOnce) {
  const std::vector<std::pair<const char*, const char*>> initial = {{"a", "x"}, {"b", "y"}};
  Harness job =
      Make([&](JobContext& ctx) { Pairs(ctx).UpdateStateByKey(Remember, initial, {.partitions = 3}).Print(); });
  job.Feed(0, {{"b:-", "c:1"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(Last(job)), (Texts{"(a, x.)", "(c, 1)"}));
  job.Feed(0, {{"a:-", "c:-"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), Texts{});
  job.Restore();
  job.Feed(0, {{"d:1"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), Texts{"(d, 1)"});
}

TEST_P(UpdateBackendTest, SeesTheBatch) {
  Harness job = Make([](JobContext& ctx) {
    Pairs(ctx)
        .UpdateStateByKey(
            [](const std::string&, Values, std::optional<std::int64_t> first, const BatchContext& batch) {
              return std::optional(first.value_or(batch.time.time_since_epoch().count() + 0));
            },
            {.sweep = false})
        .Print();
  });
  job.time_us = 500;
  job.Feed(0, {{"a:1"}});
  job.RunBatch();
  job.time_us = 900;
  job.Feed(0, {{"a:1", "b:1"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(Last(job)), (Texts{"(a, 500)", "(b, 900)"}));
}

TEST_P(UpdateBackendTest, WhatAFunctionThrowsGoesThrough) {
  Harness job = Make([](JobContext& ctx) {
    Pairs(ctx)
        .UpdateStateByKey([](const std::string& key, Values, Old) -> Old {
          if (key == "bad") throw std::domain_error("no such key");
          return "1";
        })
        .Print();
  });
  job.Feed(0, {{"bad:1"}});
  EXPECT_THROW(job.RunBatch(), std::domain_error);
}

// Values of a type without an address of its own, pairs as keys, a struct as state.
struct Tally {
  int yes = 0;
  int no = 0;
};

TEST_P(UpdateBackendTest, TypesOfAllKinds) {
  Harness job = Make([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view t) { return std::pair(std::pair(t.substr(1), t.size()), t[0] == '+'); })
        .UpdateStateByKey<Tally>([](const auto&, std::span<const bool> votes, auto old) {
          Tally tally = old.value_or(Tally());
          for (const bool vote : votes) ++(vote ? tally.yes : tally.no);
          return std::optional(tally);
        })
        .Map([](const std::pair<std::pair<std::string, std::size_t>, Tally>& one) {
          return std::tuple(one.first.first, one.second.yes, one.second.no);
        })
        .Print();
  });
  job.Feed(0, {{"+x", "-x", "+x", "+yy"}});
  job.RunBatch();
  job.Restore();
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(Last(job)), (Texts{"(x, 4, 2)", "(yy, 2, 0)"}));
}

INSTANTIATE_TEST_SUITE_P(Backends, UpdateBackendTest, testing::Bool(),
                         [](const auto& backend) { return backend.param ? "Stored" : "InMemory"; });

TEST(UpdateStateCosts, AStateThatStaysTheSameIsNotWrittenAgain) {
  Harness job([](JobContext& ctx) {
    Pairs(ctx)
        .UpdateStateByKey([](std::string_view, Values values, Old old) {
          return values.empty() ? old : Old(std::string(values.back()));
        })
        .Print(kAll);
  });
  const engine::StageDescription& stage = job.graph().stages[1];
  const auto state = job.program().NewState(stage.id, 0, nullptr);
  state->Loaded();
  std::map<std::string, std::string> entries;
  MapChanges changes(entries);
  state->TakeChanges(changes);
  EXPECT_FALSE(state->TakeMore(1'000));
  EXPECT_TRUE(stage.stateful);
  EXPECT_TRUE(stage.runs_empty);
  EXPECT_EQ(job.graph().operators[stage.root].state, "UpdateStateByKey of std::string to std::string");

  job.Feed(0, {{"a:1", "b:2"}});
  job.RunBatch();
  const auto first = job.StateEntries();
  job.Feed(0, {{}});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)).size(), 2U);
  EXPECT_EQ(job.StateEntries(), first);
}

TEST(UpdateStateRefusals, AtPlanTime) {
  const auto expect = [](const Harness::Body& body, const std::string& text) {
    try {
      Harness job(body);
      ADD_FAILURE() << "not refused: " << text;
    } catch (const std::invalid_argument& e) {
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("stateful_update_test.cc:"), std::string::npos) << e.what();
    }
  };
  expect([](JobContext& ctx) { Pairs(ctx).UpdateStateByKey(Remember, 0).Print(); }, "0 partitions are not possible");
  expect([](JobContext& ctx) { Pairs(ctx).UpdateStateByKey(Remember, 129).Print(); }, "cannot have 129 partitions");
  expect(
      [](JobContext& ctx) {
        const std::vector<std::pair<std::string, std::string>> twice = {{"a", "1"}, {"b", "1"}, {"a", "2"}};
        Pairs(ctx).UpdateStateByKey(Remember, twice).Print();
      },
      "its initial state has a key twice, at index 2");
}

}  // namespace
}  // namespace millrace
