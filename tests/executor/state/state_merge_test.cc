#include "executor/state/state_merge.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/common/io/scratch.h"
#include "tests/executor/state/entries.h"

namespace millrace {
namespace {

using testing::Entries;
using testing::MapCursor;
using testing::OpenStore;
using testing::ReadAll;
using testing::ScratchDirectory;

Entries Merge(const std::vector<Entries>& runs, Deleted deleted) {
  std::vector<std::unique_ptr<EntryCursor>> cursors;
  for (const Entries& run : runs) cursors.push_back(std::make_unique<MapCursor>(run));
  MergeCursor merged(std::move(cursors), deleted);
  const auto entries = ReadAll(merged);
  EXPECT_TRUE(entries.ok()) << entries.status();
  return *entries;
}

TEST(StateMerge, TheNewestCounts) {
  const std::vector<Entries> runs = {
      {{"a", "1"}, {"b", "1"}, {"c", "1"}}, {{"b", "2"}, {"d", "2"}}, {{"b", "3"}, {"c", "3"}}};
  EXPECT_EQ(Merge(runs, Deleted::kKeep), (Entries{{"a", "1"}, {"b", "3"}, {"c", "3"}, {"d", "2"}}));
}

TEST(StateMerge, WhatIsDeletedGoesWhenNothingLiesBelow) {
  const std::vector<Entries> runs = {{{"a", "1"}, {"b", "1"}, {"c", std::nullopt}},
                                     {{"a", std::nullopt}, {"b", std::nullopt}, {"d", std::nullopt}},
                                     {{"b", "3"}}};
  EXPECT_EQ(Merge(runs, Deleted::kKeep),
            (Entries{{"a", std::nullopt}, {"b", "3"}, {"c", std::nullopt}, {"d", std::nullopt}}));
  EXPECT_EQ(Merge(runs, Deleted::kDrop), (Entries{{"b", "3"}}));
}

TEST(StateMerge, OfNothingIsNothing) {
  EXPECT_EQ(Merge({}, Deleted::kDrop), Entries());
  EXPECT_EQ(Merge({{}, {}, {}}, Deleted::kDrop), Entries());
  EXPECT_EQ(Merge({{}, {{"a", "1"}}, {}}, Deleted::kDrop), (Entries{{"a", "1"}}));
}

TEST(StateMerge, AnyRunsGiveWhatAMapWould) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<Entries> runs(random() % 12);
    Entries kept;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      for (std::size_t n = random() % 30; n > 0; --n) {
        const std::string key(1 + random() % 3, static_cast<char>('a' + random() % 8));
        runs[i][key] = random() % 3 == 0 ? std::nullopt : std::optional(std::to_string(i));
      }
      for (const auto& [key, value] : runs[i]) kept[key] = value;
    }
    EXPECT_EQ(Merge(runs, Deleted::kKeep), kept);
    std::erase_if(kept, [](const auto& entry) { return !entry.second; });
    EXPECT_EQ(Merge(runs, Deleted::kDrop), kept);
  }
}

TEST(StateMerge, ADamagedRunEndsIt) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  Entries entries;
  for (int i = 1000; i < 5000; ++i) entries[std::to_string(i)] = std::string(100, 'x');
  MapCursor cursor(entries);
  ASSERT_TRUE(WriteStateFile(cursor, *store, "a").ok());
  std::string file = testing::Slurp(dir / "a");
  file[file.size() / 2] ^= 1;
  testing::Overwrite(dir / "a", file);

  std::vector<std::unique_ptr<EntryCursor>> runs;
  runs.push_back(*StateFileReader::Open(*store, "a"));
  runs.push_back(std::make_unique<MapCursor>(Entries{{"9", "9"}}));
  MergeCursor merged(std::move(runs), Deleted::kDrop);
  const auto totals = WriteStateFile(merged, *store, "b");
  EXPECT_TRUE(absl::IsDataLoss(totals.status())) << totals.status();
  EXPECT_TRUE(absl::IsNotFound(store->Open("b").status()));
}

}  // namespace
}  // namespace millrace
