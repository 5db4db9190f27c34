// The cache of lookups: what it gives back, what goes first, what is too old.
#include "executor/connectors/lookup_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const LookupCache::Time kStart{1h};

LookupRow Row(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

class LookupCacheTest : public testing::Test {
 protected:
  // What is there of these keys: its row, "-" for none, "?" for what is missing.
  std::vector<std::string> Find(LookupCache& cache, const std::vector<std::string>& keys,
                                LookupCache::Time now = kStart) {
    std::vector<LookupRow> rows(keys.size());
    const std::vector<std::size_t> missing = cache.Find(keys, now, rows);
    std::vector<std::string> out;
    for (const LookupRow& row : rows) out.push_back(row == nullptr ? "-" : *row);
    for (const std::size_t i : missing) out[i] = "?";
    return out;
  }
};

TEST_F(LookupCacheTest, KeepsRowsAndThatThereIsNone) {
  LookupCache cache({10, 1 << 20, 60s});
  cache.Put("a", Row("A"), kStart);
  cache.Put("b", nullptr, kStart);
  EXPECT_THAT(Find(cache, {"a", "b", "c", "a"}), ElementsAre("A", "-", "?", "A"));
  EXPECT_THAT(Find(cache, {}), IsEmpty());
}

TEST_F(LookupCacheTest, ARowIsTooOldWhenItsQuestionIs) {
  LookupCache cache({10, 1 << 20, 60s});
  cache.Put("a", Row("A"), kStart);
  EXPECT_THAT(Find(cache, {"a"}, kStart + 60s - 1ns), ElementsAre("A"));
  EXPECT_THAT(Find(cache, {"a"}, kStart + 60s), ElementsAre("?"));
  EXPECT_EQ(cache.rows(), 0U);
  EXPECT_EQ(cache.bytes(), 0U);
  cache.Put("a", Row("new"), kStart + 70s);
  cache.Put("a", Row("late answer"), kStart + 65s);
  EXPECT_THAT(Find(cache, {"a"}, kStart + 71s), ElementsAre("new"));
}

TEST_F(LookupCacheTest, TheLeastRecentlyUsedGoesFirst) {
  LookupCache cache({3, 1 << 20, 60s});
  for (const char* key : {"a", "b", "c"}) cache.Put(key, Row(key), kStart);
  Find(cache, {"a"});
  cache.Put("d", Row("d"), kStart);
  EXPECT_THAT(Find(cache, {"a", "b", "c", "d"}), ElementsAre("a", "?", "c", "d"));
  EXPECT_EQ(cache.rows(), 3U);
}

TEST_F(LookupCacheTest, BytesAreBounded) {
  LookupCache cache({1'000'000, 10'000, 60s});
  for (int i = 0; i < 1'000; ++i) {
    cache.Put("key" + std::to_string(i), Row(std::string(1'000, 'x')), kStart);
    ASSERT_LE(cache.bytes(), 10'000U);
  }
  EXPECT_EQ(cache.rows(), 8U);
  cache.Put("huge", Row(std::string(10'000, 'x')), kStart);
  EXPECT_THAT(Find(cache, {"huge", "key999"}), ElementsAre("?", std::string(1'000, 'x'))) << "it would empty the cache";
}

TEST_F(LookupCacheTest, NothingIsKeptWithoutRoomOrTime) {
  for (const LookupCacheLimits& limits : {LookupCacheLimits{0, 1 << 20, 60s}, {10, 0, 60s}, {10, 1 << 20, 0s}}) {
    LookupCache cache(limits);
    cache.Put("a", Row("A"), kStart);
    EXPECT_EQ(cache.rows(), 0U);
    EXPECT_THAT(Find(cache, {"a"}), ElementsAre("?"));
  }
}

TEST_F(LookupCacheTest, ThreadsShareIt) {
  LookupCache cache({50, 1 << 20, 60s});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000; ++i) {
        const std::string key = std::to_string((i * 7 + t) % 100);
        cache.Put(key, Row(key), kStart + std::chrono::milliseconds(i));
        const auto found = Find(cache, {key}, kStart + std::chrono::milliseconds(i));
        EXPECT_TRUE(found[0] == key || found[0] == "?");
      }
    });
  }
  threads.clear();
  EXPECT_EQ(cache.rows(), 50U);
}

}  // namespace
}  // namespace millrace
