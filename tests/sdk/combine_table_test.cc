#include "millrace/internal/combine_table.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>

#include "millrace/internal/record_array.h"

namespace millrace::detail {
namespace {

using Table = CombineTable<std::string, int>;

void Count(Table& table, std::string_view key, std::uint64_t hash) {
  table.Update(
      hash, key,
      [&] {
        return Table::Entry{hash, std::string(key), 1};
      },
      [](int& value) { ++value; });
}

TEST(CombineTableTest, CountsLikeAMap) {
  Table table;
  std::map<std::string, int> model;
  for (int i = 0; i < 50'000; ++i) {
    const std::string key = "key" + std::to_string((i * 7919) % 9001);
    table.PrefetchSlot(HashOf(key));
    table.PrefetchEntry(HashOf(key));
    Count(table, key, HashOf(key));
    ++model[key];
  }
  EXPECT_EQ(table.size(), model.size());
  for (const Table::Entry& entry : table.entries()) EXPECT_EQ(model.at(entry.key), entry.value);
}

TEST(CombineTableTest, KeepsTheOrderInWhichKeysCame) {
  Table table;
  for (int i = 999; i >= 0; --i) Count(table, std::to_string(i), HashOf(std::to_string(i)));
  for (int i = 999; i >= 0; --i) EXPECT_EQ(table.entries()[static_cast<std::size_t>(999 - i)].key, std::to_string(i));
}

TEST(CombineTableTest, KeysOfOneHashAreDifferentKeys) {
  Table table;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) Count(table, std::to_string(i), 42);
  }
  ASSERT_EQ(table.size(), 100u);
  for (const Table::Entry& entry : table.entries()) EXPECT_EQ(entry.value, 3);
}

TEST(CombineTableTest, IsEmptyAfterRelease) {
  Table table;
  Count(table, "a", 1);
  table.Release();
  EXPECT_EQ(table.size(), 0u);
  Count(table, "a", 1);
  EXPECT_EQ(table.entries()[0].value, 1);
}

TEST(RecordArrayTest, HoldsBoolsInOnePiece) {
  RecordArray<bool> array;
  for (int i = 0; i < 5000; ++i) array.Emplace(i % 3 == 0);
  ASSERT_EQ(array.records().size(), 5000u);
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(array.records()[static_cast<std::size_t>(i)], i % 3 == 0);
}

TEST(RecordArrayTest, GrowsAndEndsItsRecords) {
  const auto counted = std::make_shared<int>(0);
  {
    RecordArray<std::shared_ptr<int>> array;
    for (int i = 0; i < 3000; ++i) array.Emplace(counted);
    EXPECT_EQ(counted.use_count(), 3001);
    array.Clear();
    EXPECT_EQ(counted.use_count(), 1);
    array.Emplace(counted);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

}  // namespace
}  // namespace millrace::detail
