#include "executor/state/rocks_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <thread>

#include "tests/common/eventually.h"
#include "tests/common/io/scratch.h"
#include "tests/executor/state/entries.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::Entries;
using ::testing::HasSubstr;
using testing::MapCursor;
using testing::OpenStore;
using testing::ScratchDirectory;
using testing::SmallDisk;

constexpr std::uint64_t kBudget = std::uint64_t{16} << 20;

struct Fixture {
  explicit Fixture(std::string root, std::uint64_t budget = kBudget)
      : places(std::make_shared<StatePlaces>()), state(std::make_unique<RocksState>(root + "/db", budget)) {
    places->checkpoints = OpenStore(root + "/checkpoints");
    places->scratch = OpenStore(root + "/scratch");
    places->job_id = "j-1";
    places->unique = "abc";
  }

  absl::StatusOr<std::unique_ptr<RocksStore>> TryLoad(std::uint32_t partition, const Entries& entries) {
    MapCursor cursor(entries);
    logs[partition] = std::make_shared<ChangeLog>(places, TaskKey{1, partition}, StateChain{});
    return state->Load(cursor, logs[partition]);
  }
  std::unique_ptr<RocksStore> Load(std::uint32_t partition, const Entries& entries = {}) {
    auto store = TryLoad(partition, entries);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  // What a snapshot of the partition, saved now, holds.
  Entries Saved(std::uint32_t partition, RocksStore& store) {
    EXPECT_TRUE(store.Commit().ok());
    EXPECT_TRUE(store.GiveChanges().ok());
    const auto chain = logs[partition]->Save(logs[partition]->Seal(), 1);
    EXPECT_TRUE(chain.ok()) << chain.status();
    auto runs = OpenChain(*places->checkpoints, *chain);
    MergeCursor merged(*std::move(runs), Deleted::kDrop);
    return *testing::ReadAll(merged);
  }

  std::shared_ptr<StatePlaces> places;
  std::unique_ptr<RocksState> state;
  std::map<std::uint32_t, std::shared_ptr<ChangeLog>> logs;
};

std::optional<std::string> Get(RocksStore& store, std::string_view key) {
  std::string value;
  return store.Get(key, value) ? std::optional(value) : std::nullopt;
}

std::vector<std::string> Scan(RocksStore& store, std::string_view from, std::string_view to, std::size_t most = 1000) {
  std::vector<std::string> found;
  store.Scan(from, to, [&](std::string_view key, std::string_view value) {
    found.push_back(Concat(key, "=", value));
    return found.size() < most;
  });
  return found;
}

Entries All(RocksStore& store) {
  Entries all;
  store.Scan("", "", [&](std::string_view key, std::string_view value) {
    EXPECT_TRUE(all.emplace(key, value).second);
    return true;
  });
  return all;
}

std::string RandomText(std::size_t size) {
  static std::mt19937_64 random(1);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST(RocksState, ReadsWhatWasWrittenAtOnce) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  const auto store = f.Load(0, {{"a", "old"}, {"b", "old"}});
  EXPECT_EQ(Get(*store, "a"), "old");
  store->Put("a", "new");
  store->Delete("b");
  store->Put("c", "");
  EXPECT_EQ(Get(*store, "a"), "new");
  EXPECT_EQ(Get(*store, "b"), std::nullopt);
  EXPECT_EQ(Get(*store, "c"), "");
  EXPECT_EQ(Get(*store, "d"), std::nullopt);
  store->Delete("c");
  store->Put("b", "back");
  EXPECT_EQ(Get(*store, "c"), std::nullopt);
  EXPECT_EQ(Get(*store, "b"), "back");
}

TEST(RocksState, ScansWhatWasWrittenAtOnceInOrder) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  const auto store = f.Load(0, {{"a", "1"}, {"b", "1"}, {"c", "1"}, {std::string(3, '\xff'), "1"}});
  EXPECT_THAT(Scan(*store, "", "\xff"), ElementsAre("a=1", "b=1", "c=1"));
  store->Put("ab", "2");
  store->Delete("b");
  store->Put("c", "2");
  EXPECT_THAT(Scan(*store, "", "\xff"), ElementsAre("a=1", "ab=2", "c=2"));
  EXPECT_THAT(Scan(*store, "ab", "c"), ElementsAre("ab=2")) << "from is in, to is not";
  EXPECT_THAT(Scan(*store, "ac", "b"), ElementsAre());
  EXPECT_THAT(Scan(*store, "", "", 2), ElementsAre("a=1", "ab=2")) << "until visit says no";
  EXPECT_THAT(Scan(*store, "d", ""), ElementsAre("\xff\xff\xff=1")) << "to the end";
  store->Put("b", "3");
  EXPECT_THAT(Scan(*store, "aa", "bb"), ElementsAre("ab=2", "b=3"));
}

TEST(RocksState, AVisitMayReadButNotWrite) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  const auto store = f.Load(0, {{"a", "1"}, {"b", "2"}});
  store->Scan("", "", [&](std::string_view key, std::string_view) {
    EXPECT_EQ(Scan(*store, key, "").size() + (key == "b" ? 1 : 0), 2u);
    return Get(*store, key).has_value();
  });
  const auto write = [&](std::string_view, std::string_view) {
    store->Put("c", "3");
    return true;
  };
  EXPECT_THROW(store->Scan("", "", write), std::runtime_error);
  EXPECT_FALSE(store->status().ok());
}

TEST(RocksState, AVisitMayThrow) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  const auto store = f.Load(0, {{"a", "1"}});
  const auto fail = [](std::string_view, std::string_view) -> bool { throw std::invalid_argument("user code"); };
  EXPECT_THROW(store->Scan("", "", fail), std::invalid_argument);
  store->Put("b", "2");
  EXPECT_EQ(Get(*store, "b"), "2");
}

TEST(RocksState, PartitionsDoNotSeeEachOther) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  const auto one = f.Load(1, {{"a", "one"}});
  auto two = f.Load(2, {{"a", "two"}});
  one->Put("b", "one");
  EXPECT_EQ(All(*one), (Entries{{"a", "one"}, {"b", "one"}}));
  EXPECT_EQ(All(*two), (Entries{{"a", "two"}}));
  two.reset();
  EXPECT_EQ(All(*one), (Entries{{"a", "one"}, {"b", "one"}}));
  two = f.Load(2);
  EXPECT_EQ(All(*two), Entries()) << "dropped is gone";
}

TEST(RocksState, TakesMoreThanFitsIntoItsSets) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  const auto store = f.Load(0);
  std::mt19937 random(9);
  Entries expected;
  for (int i = 0; i < 200'000; ++i) {
    const std::string key = "a prefix that all have/" + std::to_string(random() % 50'000);
    if (random() % 4 == 0) {
      store->Delete(key);
      expected.erase(key);
    } else {
      const std::string value = std::to_string(i);
      store->Put(key, value);
      expected[key] = value;
    }
    ASSERT_LT(store->memory_bytes(), kBudget / 4);
  }
  for (const auto& [key, value] : expected) ASSERT_EQ(Get(*store, key), value);
  EXPECT_EQ(All(*store), expected);
  EXPECT_EQ(f.Saved(0, *store), expected) << "the snapshot is all changes since the beginning";
  EXPECT_EQ(All(*store), expected);
}

TEST(RocksState, WhatIsNotCommittedIsNotGiven) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  const auto store = f.Load(0);
  store->Put("a", "1");
  EXPECT_TRUE(absl::IsFailedPrecondition(store->GiveChanges()));
  ASSERT_TRUE(store->Commit().ok());
  EXPECT_TRUE(store->GiveChanges().ok());
}

TEST(RocksState, LoadsManyEntriesAndForgetsThem) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  Entries entries;
  for (int i = 0; i < 150'000; ++i) entries["key " + std::to_string(i)] = std::to_string(i) + std::string(20, 'v');
  auto store = f.Load(0, entries);
  EXPECT_EQ(All(*store), entries);
  EXPECT_EQ(Get(*store, "key 777"), entries["key 777"]);
  EXPECT_GT(f.state->disk_bytes(), 1'000'000u);
  EXPECT_GT(f.state->entries(), 100'000u);
  store.reset();
  EXPECT_LT(f.state->disk_bytes(), 1'000'000u) << "the space is given back at once";
}

TEST(RocksState, LeavesNothingOnTheDisk) {
  ScratchDirectory dir;
  fs::create_directories(dir / "db/db-0");
  {
    Fixture f(dir.path());
    EXPECT_FALSE(fs::exists(dir / "db")) << "what another process left is removed";
    const auto store = f.Load(0, {{"a", "1"}});
    EXPECT_TRUE(fs::exists(dir / "db"));
  }
  EXPECT_FALSE(fs::exists(dir / "db"));
}

TEST(RocksState, ItsMemoryStaysUnderTheCap) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  const auto store = f.Load(0);
  const std::string pool = RandomText(1 << 20);
  std::uint64_t most = 0;
  for (int i = 0; i < 200'000; ++i) {
    store->Put("key " + std::to_string(i * 769 % 200'000), std::string_view(pool).substr(i * 127 % 1'000'000, 200));
    if (i % 1000 == 0)
      most = std::max(most, f.state->memory_bytes() + store->memory_bytes() + f.logs[0]->memory_bytes());
  }
  std::string found;
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_TRUE(store->Get("key " + std::to_string(i * 31 % 200'000), found));
    if (i % 1000 == 0) most = std::max(most, f.state->memory_bytes() + store->memory_bytes());
  }
  EXPECT_LE(most, kBudget);
  EXPECT_GT(f.state->disk_bytes(), kBudget / 2);
}

TEST(RocksState, ManyPartitionsOnManyThreads) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  constexpr std::uint32_t kPartitions = 8;
  std::vector<std::unique_ptr<RocksStore>> stores;
  for (std::uint32_t p = 0; p < kPartitions; ++p) stores.push_back(f.Load(p));
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t p = t; p < kPartitions; p += 4) {
        Entries expected;
        for (int i = 0; i < 8'000; ++i) {
          const std::string key = std::to_string(i * 31 % 2000);
          const std::string value = Concat(p, "/", i);
          stores[p]->Put(key, value);
          expected[key] = value;
        }
        ASSERT_EQ(All(*stores[p]), expected);
        if (p % 2 == 0) stores[p].reset();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::uint32_t p = 1; p < kPartitions; p += 2) EXPECT_EQ(All(*stores[p]).size(), 2000u);
}

TEST(RocksState, AFullDiskIsSaidAndSurvived) {
  SmallDisk disk(std::size_t{24} << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  Fixture f(disk.path());
  auto store = f.Load(0);
  std::string error;
  for (int i = 0; error.empty() && i < 100'000; ++i) {
    try {
      store->Put(std::to_string(i), RandomText(1000));
    } catch (const std::runtime_error& e) {
      error = e.what();
    }
  }
  EXPECT_THAT(error, HasSubstr(disk.path()));
  EXPECT_THAT(error, HasSubstr("No space left"));
  EXPECT_TRUE(absl::IsResourceExhausted(store->status())) << store->status();
  EXPECT_THROW(store->Put("a", "1"), std::runtime_error);
  store.reset();
  f.logs.clear();
  // What was dropped makes room for the next; but the database's own threads may find the disk full only now.
  EXPECT_TRUE(Eventually([&] {
    const auto next = f.TryLoad(1, {{"a", "1"}});
    if (!next.ok()) return false;
    try {
      for (int i = 0; i < 1000; ++i) (*next)->Put(std::to_string(i), RandomText(1000));
      return All(**next).size() == 1001u;
    } catch (const std::runtime_error&) {
      return false;
    }
  }));
}

TEST(RocksState, DamageIsSaidAndTheNextPartitionGetsAnotherDatabase) {
  ScratchDirectory dir;
  Fixture f(dir.path());
  Entries entries;
  for (int i = 0; i < 10'000; ++i) entries["key " + std::to_string(i)] = RandomText(20);
  auto store = f.Load(0, entries);
  const auto healthy = f.Load(1, {{"a", "1"}});
  for (const auto& file : fs::recursive_directory_iterator(dir / "db")) {
    if (file.path().extension() != ".sst" || file.file_size() < 100'000) continue;
    std::string data = testing::Slurp(file.path());
    for (std::size_t at = 1000; at < data.size() / 2; at += 1000) data[at] ^= 1;
    testing::Overwrite(file.path(), data);
  }
  EXPECT_THROW(All(*store), std::runtime_error);
  EXPECT_TRUE(absl::IsDataLoss(store->status())) << store->status();
  store = f.Load(0, entries);
  EXPECT_EQ(All(*store), entries);
  EXPECT_EQ(All(*healthy), (Entries{{"a", "1"}}));
}

}  // namespace
}  // namespace millrace
