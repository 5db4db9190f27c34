#include "executor/state/write_set.h"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "executor/state/state_file.h"
#include "tests/executor/state/entries.h"

namespace millrace {
namespace {

using testing::Entries;

Entries Sorted(WriteSet set) {
  const auto entries = testing::ReadAll(*SortedSet::Read(std::make_shared<SortedSet>(std::move(set))));
  EXPECT_TRUE(entries.ok()) << entries.status();
  return *entries;
}

TEST(WriteSet, FindsWhatWasWrittenLast) {
  WriteSet set;
  EXPECT_EQ(set.Find("a"), nullptr);
  set.Put("a", "1");
  set.Put("b", "22");
  set.Delete("c");
  set.Put("a", "a longer one than before");
  set.Put("b", "3");
  set.Put("c", "back");
  set.Delete("b");
  ASSERT_NE(set.Find("a"), nullptr);
  EXPECT_EQ(set.Find("a")->value(), "a longer one than before");
  EXPECT_TRUE(set.Find("b")->deleted);
  EXPECT_EQ(set.Find("c")->value(), "back");
  EXPECT_EQ(set.Find("d"), nullptr);
  EXPECT_EQ(set.size(), 3u);
  EXPECT_EQ(Sorted(std::move(set)), (Entries{{"a", "a longer one than before"}, {"b", std::nullopt}, {"c", "back"}}));
}

TEST(WriteSet, IsAMapInTheOrderOfBytes) {
  std::mt19937 random(3);
  for (const std::size_t shared : {0, 1, 7, 30}) {
    WriteSet set;
    Entries expected;
    for (int i = 0; i < 20'000; ++i) {
      std::string key(shared, 'p');
      for (std::size_t n = random() % 14; n > 0; --n) key.push_back(static_cast<char>(random() % 4 * 85));
      const std::string value(random() % 10, static_cast<char>('a' + random() % 26));
      if (random() % 4 == 0) {
        set.Delete(key);
        expected[key] = std::nullopt;
      } else {
        set.Put(key, value);
        expected[key] = value;
      }
    }
    for (const auto& [key, value] : expected) {
      const WriteSet::Entry* entry = set.Find(key);
      ASSERT_NE(entry, nullptr);
      ASSERT_EQ(entry->deleted, !value);
      ASSERT_EQ(entry->value(), value.value_or(""));
    }
    EXPECT_EQ(Sorted(std::move(set)), expected);
  }
}

TEST(WriteSet, WritingOneKeyAgainAndAgainTakesNoMoreMemory) {
  WriteSet set;
  for (int i = 0; i < 100'000; ++i) set.Put("key", std::to_string(100'000 + i));
  EXPECT_LT(set.bytes(), 10'000u);
}

TEST(WriteSet, RefusesWhatNoFileCouldHold) {
  WriteSet set;
  const std::string long_key(kMaxStateKeyBytes + 1, 'k');
  EXPECT_THROW(set.Put(long_key, "x"), std::runtime_error);
  EXPECT_TRUE(set.empty());
}

TEST(WriteSet, MayBeEmpty) { EXPECT_EQ(Sorted({}), Entries()); }

}  // namespace
}  // namespace millrace
