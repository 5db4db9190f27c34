#include "common/config/units.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(ParseDuration, KnowsEveryUnit) {
  EXPECT_EQ(*ParseDuration("7us"), 7);
  EXPECT_EQ(*ParseDuration("250ms"), 250'000);
  EXPECT_EQ(*ParseDuration("1.5s"), 1'500'000);
  EXPECT_EQ(*ParseDuration("2m"), 120'000'000);
  EXPECT_EQ(*ParseDuration("3 h"), 10'800'000'000);
  EXPECT_EQ(*ParseDuration("1d"), 86'400'000'000);
  EXPECT_EQ(*ParseDuration("0"), 0);
  EXPECT_EQ(*ParseDuration("0.1ms"), 100);
}

TEST(ParseDuration, RefusesWhatIsNotOne) {
  for (const char* text : {"", "5", "ms", "-1s", "5sec", "1e3s", "nan s", "inf s", "5 MiB", "5ms ", "0x5s", "1s2s"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
  EXPECT_EQ(Message(ParseDuration("5").status()),
            "'5' is no duration: give a number and a unit, such as 500ms or 1s (units us, ms, s, m, h, d)");
  EXPECT_EQ(Message(ParseDuration("999999999999d").status()), "'999999999999d' is too large a duration");
}

TEST(ParseSize, KnowsEveryUnit) {
  EXPECT_EQ(*ParseSize("10B"), 10);
  EXPECT_EQ(*ParseSize("64MiB"), 64 << 20);
  EXPECT_EQ(*ParseSize("1.5GiB"), 3LL << 29);
  EXPECT_EQ(*ParseSize("2GB"), 2'000'000'000);
  EXPECT_EQ(Message(ParseSize("64M").status()),
            "'64M' is no size: give a number and a unit, such as 64MiB (units B, KiB, MiB, GiB, TiB, KB, MB, GB, TB)");
}

TEST(Format, GivesTheShortestExactText) {
  EXPECT_EQ(FormatDuration(0), "0us");
  EXPECT_EQ(FormatDuration(250'000), "250ms");
  EXPECT_EQ(FormatDuration(90'000'000), "90s");
  EXPECT_EQ(FormatDuration(3'600'000'000), "1h");
  EXPECT_EQ(FormatDuration(1'500), "1500us");
  EXPECT_EQ(FormatSize(64 << 20), "64MiB");
  EXPECT_EQ(FormatSize(1000), "1000B");
}

}  // namespace
}  // namespace millrace
