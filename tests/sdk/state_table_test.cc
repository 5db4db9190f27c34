#include "millrace/internal/state_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "millrace/internal/state_log.h"
#include "tests/sdk/map_store.h"

namespace millrace::detail {
namespace {

using Table = StateTable<std::string, std::uint64_t>;

struct Counts : OperatorState {
  explicit Counts(const StateSetup& setup) : OperatorState(setup), counts(*this, "counts") {}
  Table counts;
};

class StateTableTest : public testing::TestWithParam<bool> {
 protected:
  StateTableTest() {
    description_.id = 7;
    description_.uid = "u";
  }
  std::unique_ptr<Counts> Make() {
    return std::make_unique<Counts>(StateSetup{&description_, 0, 128, GetParam() ? &store_ : nullptr});
  }
  // What a runner would do: moves the state into a new one by its entries.
  std::unique_ptr<Counts> Move(std::unique_ptr<Counts> from) {
    if (!GetParam()) {
      MapChanges changes(entries_);
      from->TakeChanges(changes);
      while (from->TakeMore(10)) {
      }
    }
    auto to = Make();
    if (!GetParam()) {
      for (const auto& [key, value] : entries_) to->Load(std::string_view(key).substr(2), value);
    }
    to->Loaded();
    return to;
  }
  static std::map<std::string, std::uint64_t> All(Counts& state) {
    std::map<std::string, std::uint64_t> all;
    state.counts.ForEach([&](Table::Entry& entry) { EXPECT_TRUE(all.emplace(entry.key, entry.value).second); });
    return all;
  }

  engine::OperatorDescription description_;
  MapStore store_;
  std::map<std::string, std::string> entries_;
};

TEST_P(StateTableTest, AgreesWithAMapThroughChangesErasuresAndMoves) {
  std::mt19937_64 random(1);
  std::map<std::string, std::uint64_t> model;
  auto state = Make();
  state->Loaded();
  for (int batch = 0; batch < 200; ++batch) {
    for (int i = 0; i < 300; ++i) {
      const std::string key = "k" + std::to_string(random() % 2'000);
      const std::uint64_t hash = HashOf(key);
      if (random() % 3 == 0) {
        if (auto* entry = state->counts.Find(hash, std::string_view(key))) state->counts.Erase(*entry);
        model.erase(key);
      } else {
        auto& entry = state->counts.FindOrAdd(hash, std::string_view(key), [] { return std::uint64_t{0}; });
        entry.value += static_cast<std::uint64_t>(i);
        state->counts.Changed(entry);
        model[key] += static_cast<std::uint64_t>(i);
      }
    }
    state->EndBatch();
    if (batch % 50 == 17) state = Move(std::move(state));
    if (batch % 20 == 3) {
      ASSERT_EQ(All(*state), model) << batch;
    }
  }
  EXPECT_EQ(All(*Move(std::move(state))), model);
}

// A checkpoint that is taken bit by bit, within batches and between them, is the state as it was when it began.
TEST_P(StateTableTest, WhatIsTakenIsTheStateAtTheBeginning) {
  if (GetParam()) return;  // in memory alone
  std::mt19937_64 random(2);
  std::map<std::string, std::uint64_t> model;
  auto state = Make();
  state->Loaded();
  const auto change = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const std::string key = "k" + std::to_string(random() % 2'000);
      const std::uint64_t hash = HashOf(key);
      if (random() % 3 == 0) {
        if (auto* entry = state->counts.Find(hash, std::string_view(key))) state->counts.Erase(*entry);
        model.erase(key);
      } else {
        auto& entry = state->counts.FindOrAdd(hash, std::string_view(key), [] { return std::uint64_t{0}; });
        entry.value += static_cast<std::uint64_t>(i);
        state->counts.Changed(entry);
        model[key] += static_cast<std::uint64_t>(i);
      }
    }
    if (random() % 10 == 0) {
      state->counts.ForEach([&](Table::Entry& entry) {
        ++entry.value;
        state->counts.Changed(entry);
        ++model[entry.key];
      });
    }
    state->EndBatch();
  };
  for (int checkpoint = 0; checkpoint < 100; ++checkpoint) {
    change(static_cast<int>(random() % 1'000));
    const auto then = model;
    MapChanges changes(entries_);
    state->TakeChanges(changes);
    EXPECT_THROW(state->TakeChanges(changes), std::logic_error);
    do {
      change(static_cast<int>(random() % 100));
    } while (state->TakeMore(random() % 300));
    ASSERT_FALSE(state->TakeMore(1'000'000));
    Counts restored(StateSetup{&description_, 0, 128, nullptr});
    for (const auto& [key, value] : entries_) restored.Load(std::string_view(key).substr(2), value);
    restored.Loaded();
    ASSERT_EQ(All(restored), then) << checkpoint;
  }
}

TEST_P(StateTableTest, ForEachMayChangeAndErase) {
  auto state = Make();
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = std::to_string(i);
    state->counts.FindOrAdd(HashOf(key), key, [&] { return static_cast<std::uint64_t>(i); });
  }
  state->EndBatch();
  state->counts.ForEach([&](Table::Entry& entry) {
    if (entry.value % 2 == 0) return state->counts.Erase(entry);
    entry.value *= 10;
    state->counts.Changed(entry);
  });
  state->EndBatch();
  const auto all = All(*Move(std::move(state)));
  ASSERT_EQ(all.size(), 5'000U);
  for (const auto& [key, value] : all) EXPECT_EQ(std::to_string(value / 10), key);
}

TEST_P(StateTableTest, MoreKeysThanTheCacheHolds) {
  auto state = Make();
  constexpr std::uint64_t kKeys = 100'000;
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      const std::string key = std::to_string(i);
      auto& entry = state->counts.FindOrAdd(HashOf(key), key, [] { return std::uint64_t{0}; });
      entry.value += i;
      state->counts.Changed(entry);
    }
    state->EndBatch();
  }
  const auto all = All(*state);
  ASSERT_EQ(all.size(), kKeys);
  for (const auto& [key, value] : all) EXPECT_EQ(std::to_string(value / 2), key);
}

INSTANTIATE_TEST_SUITE_P(Backends, StateTableTest, testing::Bool(),
                         [](const auto& backend) { return backend.param ? "Stored" : "InMemory"; });

TEST(StateTableOrder, SurvivesARestore) {
  engine::OperatorDescription description;
  description.uid = "u";
  Counts before(StateSetup{&description, 0, 128, nullptr});
  std::vector<std::string> keys = {"pear", "apple", "fig", "date"};
  for (const std::string& key : keys) before.counts.FindOrAdd(HashOf(key), key, [] { return std::uint64_t{1}; });
  std::map<std::string, std::string> entries;
  MapChanges changes(entries);
  before.TakeChanges(changes);
  EXPECT_FALSE(before.TakeMore(1'000'000));
  Counts after(StateSetup{&description, 0, 128, nullptr});
  for (const auto& [key, value] : entries) after.Load(std::string_view(key).substr(2), value);
  after.Loaded();
  std::vector<std::string> seen;
  after.counts.ForEach([&](Table::Entry& entry) { seen.push_back(entry.key); });
  EXPECT_EQ(seen, keys);
}

struct Panes : OperatorState {
  explicit Panes(const StateSetup& setup)
      : OperatorState(setup),
        log(*this, "panes", [this](std::uint32_t group, std::uint64_t number, std::string_view data) {
          loaded.emplace_back(group, number, data);
        }) {}
  std::vector<std::tuple<std::uint32_t, std::uint64_t, std::string>> loaded;
  StateLog log;
};

TEST(StateLog, GivesBackWhatWasNotDeletedInOrder) {
  engine::OperatorDescription description;
  description.uid = "u";
  for (const bool stored : {false, true}) {
    MapStore store;
    std::map<std::string, std::string> entries;
    {
      Panes panes(StateSetup{&description, 0, 128, stored ? &store : nullptr});
      for (const std::uint64_t n : {1, 2, 300, 70'000}) panes.log.Append(3, n, "data" + std::to_string(n));
      panes.log.Append(1, 9, "other");
      panes.log.Delete(3, 2);
      MapChanges changes(entries);
      panes.TakeChanges(changes);
      EXPECT_FALSE(panes.TakeMore(1));
    }
    Panes panes(StateSetup{&description, 0, 128, stored ? &store : nullptr});
    if (!stored) {
      for (const auto& [key, value] : entries) panes.Load(std::string_view(key).substr(2), value);
    }
    panes.Loaded();
    const decltype(panes.loaded) expected = {
        {1, 9, "other"}, {3, 1, "data1"}, {3, 300, "data300"}, {3, 70'000, "data70000"}};
    EXPECT_EQ(panes.loaded, expected);
  }
}

}  // namespace
}  // namespace millrace::detail
