#include "millrace/hash.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "millrace/internal/shuffle_block.h"

namespace millrace {
namespace {

enum class Color { kRed, kGreen };
struct Key {
  int number;
  std::string text;
};
struct Caseless {
  std::string text;
  bool operator==(const Caseless& other) const { return text.size() == other.text.size(); }
};

}  // namespace

template <>
struct Hasher<Caseless> {
  static std::uint64_t Hash(const Caseless& key) { return HashOf(key.text.size()); }
};

namespace {

// These numbers are where keys live: if one changes, every key of every job moves to another partition.
TEST(KeyEquals, TextsOfAllLengthsDifferAtAnyByte) {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string text(size, 'a');
    EXPECT_TRUE(detail::KeyEquals(text, std::string_view(std::string(size, 'a'))));
    EXPECT_FALSE(detail::KeyEquals(text, text + 'a'));
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'b';
      EXPECT_FALSE(detail::KeyEquals(text, other)) << size << " " << at;
    }
  }
}

TEST(HashTest, IsForEver) {
  EXPECT_EQ(HashOf(std::string_view("word")), XXH3_64bits("word", 4));
  EXPECT_EQ(HashOf(std::uint64_t{0}), 16294208416658607535ULL);
  EXPECT_EQ(HashOf(std::uint64_t{1}), 10451216379200822465ULL);
  EXPECT_EQ(HashOf(-1), HashOf(std::int64_t{-1}));
}

TEST(HashTest, OwnedAndViewedAgree) {
  EXPECT_EQ(HashOf(std::string("a")), HashOf(std::string_view("a")));
  EXPECT_EQ(HashOf(std::pair(std::string("a"), 1)), HashOf(std::pair(std::string_view("a"), 1)));
  EXPECT_EQ(HashOf(std::tuple(std::string("a"), std::optional<std::string>("b"))),
            HashOf(std::tuple(std::string_view("a"), std::optional<std::string_view>("b"))));
}

TEST(HashTest, EqualNumbersAgree) {
  EXPECT_EQ(HashOf(0.0), HashOf(-0.0));
  EXPECT_EQ(HashOf(std::nan("")), HashOf(-std::nan("")));
  EXPECT_TRUE(detail::KeyEquals(std::nan(""), std::nan("")));
  EXPECT_NE(HashOf(1.0), HashOf(2.0));
}

TEST(HashTest, PartsAndOrderMatter) {
  EXPECT_NE(HashOf(std::pair(1, 2)), HashOf(std::pair(2, 1)));
  EXPECT_NE(HashOf(std::pair(std::string("ab"), std::string("c"))),
            HashOf(std::pair(std::string("a"), std::string("bc"))));
  EXPECT_NE(HashOf(std::vector<int>{}), HashOf(std::vector<int>{0}));
  EXPECT_NE(HashOf(std::optional<int>()), HashOf(std::optional<int>(0)));
  EXPECT_NE(HashOf(Key{1, "a"}), HashOf(Key{2, "a"}));
  EXPECT_EQ(HashOf(Key{1, "a"}), HashOf(Key{1, "a"}));
  EXPECT_NE(HashOf(Color::kRed), HashOf(Color::kGreen));
}

TEST(HashTest, KeysOfDifferentFormsCompare) {
  EXPECT_TRUE(detail::KeyEquals(std::pair(std::string("a"), 1), std::pair(std::string_view("a"), 1)));
  EXPECT_FALSE(detail::KeyEquals(std::pair(std::string("a"), 1), std::pair(std::string_view("b"), 1)));
  EXPECT_TRUE(detail::KeyEquals(Key{1, "a"}, Key{1, "a"}));
  EXPECT_FALSE(detail::KeyEquals(Key{1, "a"}, Key{1, "b"}));
  EXPECT_FALSE(detail::KeyEquals(std::vector<std::string>{"a"}, std::vector<std::string_view>{"a", "b"}));
  EXPECT_TRUE(detail::KeyEquals(Caseless{"a"}, Caseless{"A"}));
}

TEST(HashTest, PartitionsAreEvenlyUsed) {
  for (const std::uint32_t partitions : {1u, 3u, 16u, 128u}) {
    std::vector<int> used(partitions, 0);
    for (int i = 0; i < 100'000; ++i) ++used.at(detail::PartitionOf(HashOf(i), partitions));
    for (const int n : used) EXPECT_NEAR(n, 100'000.0 / partitions, 0.2 * 100'000.0 / partitions);
  }
}

}  // namespace
}  // namespace millrace
