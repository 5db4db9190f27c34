#include "millrace/random_text.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

namespace millrace {
namespace {

// Checkers of jobs compute these lines again, in other processes and after upgrades.
TEST(RandomTextTest, IsForEver) {
  EXPECT_EQ(RandomLine(0, 1, 4, 10'000), "govi gofe jufi tewo");
  EXPECT_EQ(RandomLine(1, 1, 4, 10'000), "pura hadu josu qi");
}

TEST(RandomTextTest, HasTheWordsAskedFor) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    std::istringstream line(RandomLine(i, 7, 12, 50));
    std::set<std::string> distinct;
    std::string word;
    int words = 0;
    while (line >> word) ++words;
    EXPECT_EQ(words, 12);
  }
  EXPECT_EQ(RandomLine(3, 3, 0, 10), "");
  EXPECT_EQ(RandomLine(3, 3, 2, 0), RandomLine(3, 3, 2, 1));
}

TEST(RandomTextTest, WordsAreDistinctAndWithinTheVocabulary) {
  std::set<std::string> words;
  for (std::uint32_t n = 0; n < 30'000; ++n) {
    std::string word;
    AppendRandomWord(word, n);
    EXPECT_TRUE(words.insert(word).second) << n;
  }
  std::map<std::string, int> seen;
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    std::istringstream line(RandomLine(i, 1, 10, 100));
    std::string word;
    while (line >> word) ++seen[word];
  }
  EXPECT_EQ(seen.size(), 100u);
  std::string first;
  AppendRandomWord(first, 0);
  for (const auto& [word, count] : seen) EXPECT_LE(count, seen[first]);
}

TEST(RandomTextTest, IndexAndSeedMatter) {
  EXPECT_NE(RandomLine(1, 1, 10, 1000), RandomLine(2, 1, 10, 1000));
  EXPECT_NE(RandomLine(1, 1, 10, 1000), RandomLine(1, 2, 10, 1000));
}

}  // namespace
}  // namespace millrace
