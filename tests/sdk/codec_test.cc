#include "millrace/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace millrace {
namespace {

enum class Color : std::uint8_t { kRed, kGreen = 200 };
enum class Signed : std::int32_t { kLow = -5 };

struct Empty {
  bool operator==(const Empty&) const = default;
};
struct Point {
  std::int32_t x = 0;
  double y = 0;
  bool operator==(const Point&) const = default;
};
struct Track {
  std::string name;
  std::vector<Point> points;
  std::optional<Color> color;
  Empty nothing;
  bool operator==(const Track&) const = default;
};
struct Tree {
  int value = 0;
  std::vector<Tree> children;
  bool operator==(const Tree&) const = default;
};

// What is written is read; cut short or with any bit turned over, it either reads as something or throws CodecError,
// and no more.
template <class T>
void Check(const T& value) {
  const std::string bytes = ToBytes(value);
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(FromBytes<T>(bytes), value);
  EXPECT_THROW(FromBytes<T>(bytes + '\0'), CodecError);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy of exactly this size on the heap, so that AddressSanitizer sees a read past its end.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(FromBytes<T>(std::string_view(cut.data(), cut.size())), CodecError) << size << " of " << bytes.size();
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int turned = 1; turned < 256; ++turned) {
      std::vector<char> damaged(bytes.begin(), bytes.end());
      damaged[i] = static_cast<char>(damaged[i] ^ turned);
      try {
        (void)FromBytes<T>(std::string_view(damaged.data(), damaged.size()));
      } catch (const CodecError&) {
      }
    }
  }
}

template <class T>
void CheckLimits() {
  Check<T>(std::numeric_limits<T>::min());
  Check<T>(std::numeric_limits<T>::max());
  Check<T>(T{0});
  Check<T>(T{1});
  Check<T>(static_cast<T>(-1));
}

TEST(CodecTest, IntegersAtTheirLimits) {
  CheckLimits<char>();
  CheckLimits<std::int8_t>();
  CheckLimits<std::uint8_t>();
  CheckLimits<std::int16_t>();
  CheckLimits<std::uint16_t>();
  CheckLimits<std::int32_t>();
  CheckLimits<std::uint32_t>();
  CheckLimits<std::int64_t>();
  CheckLimits<std::uint64_t>();
  CheckLimits<long long>();
}

TEST(CodecTest, SmallNumbersAreSmall) {
  EXPECT_EQ(ToBytes(std::uint64_t{127}).size(), 1u);
  EXPECT_EQ(ToBytes(std::int64_t{-64}).size(), 1u);
  EXPECT_EQ(ToBytes(std::pair(std::string("word"), 1L)).size(), 6u);
}

TEST(CodecTest, OtherScalars) {
  Check(true);
  Check(false);
  Check(Color::kGreen);
  Check(Signed::kLow);
  Check(3.25f);
  Check(-1e300);
  Check(std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(FromBytes<double>(ToBytes(std::nan("")))));
}

TEST(CodecTest, Texts) {
  Check(std::string());
  Check(std::string("text with \0 inside", 18));
  Check(std::string(300, 'x'));
  const std::string bytes = ToBytes(std::string_view("view"));
  const auto view = FromBytes<std::string_view>(bytes);
  EXPECT_EQ(view, "view");
  EXPECT_GE(view.data(), bytes.data());  // into the data
  EXPECT_LE(view.data() + view.size(), bytes.data() + bytes.size());
}

TEST(CodecTest, Containers) {
  Check(std::pair(std::string("a"), -3));
  Check(std::tuple(1, std::string("b"), 2.5));
  Check(std::tuple<>());
  Check(std::optional<int>());
  Check(std::optional<std::string>("c"));
  Check(std::vector<int>());
  Check(std::vector<std::string>{"a", "", "bc"});
  Check(std::vector<bool>{true, false, true});
  Check(std::vector<std::vector<std::uint64_t>>{{1, 2}, {}, {300}});
  Check(std::array<std::int32_t, 3>{1, -1, 1000});
  Check(std::array<std::int32_t, 0>{});
  Check(std::map<std::string, int>{{"x", 1}, {"y", -1}});
  Check(std::unordered_map<int, std::string>{{1, "one"}, {2, "two"}, {3, "three"}});
}

TEST(CodecTest, PlainStructs) {
  Check(Empty{});
  Check(Point{-7, 0.5});
  Check(Track{"way", {{1, 2}, {3, 4}}, Color::kRed, {}});
  Check(Tree{1, {{2, {}}, {3, {{4, {}}}}}});
  Check(std::vector<Empty>(3));
}

TEST(CodecTest, EqualHashMapsGiveEqualBytes) {
  std::unordered_map<int, int> up;
  std::unordered_map<int, int> down;
  down.reserve(1000);
  for (int i = 0; i < 100; ++i) up[i] = i;
  for (int i = 99; i >= 0; --i) down[i] = i;
  EXPECT_EQ(ToBytes(up), ToBytes(down));
}

TEST(CodecTest, LiesAboutSizesAskForNoMemory) {
  std::string huge;
  ByteWriter out(huge);
  out.Varint(std::uint64_t{1} << 62);
  EXPECT_THROW(FromBytes<std::string>(huge), CodecError);
  EXPECT_THROW((FromBytes<std::vector<Point>>(huge)), CodecError);
  EXPECT_THROW((FromBytes<std::map<int, int>>(huge)), CodecError);
}

TEST(CodecTest, WrongValuesAreRefused) {
  EXPECT_THROW(FromBytes<bool>(std::string(1, 2)), CodecError);
  EXPECT_THROW(FromBytes<std::uint16_t>(ToBytes(std::uint32_t{70'000})), CodecError);
  EXPECT_THROW(FromBytes<std::int16_t>(ToBytes(-70'000)), CodecError);
  EXPECT_THROW(FromBytes<std::uint64_t>(std::string(10, '\xff')), CodecError);
  EXPECT_THROW((FromBytes<std::map<int, int>>(std::string("\x02\x02\x02\x02\x02", 5))), CodecError);  // the key 1 twice
}

TEST(CodecTest, DeepNestingIsAnErrorAndNoOverflow) {
  // Every Tree is its value 0 and one child.
  std::string bytes;
  for (int i = 0; i < 1'000'000; ++i) bytes += std::string("\0\1", 2);
  EXPECT_THROW(FromBytes<Tree>(bytes), CodecError);
}

TEST(CodecTest, RandomBytesNeverCrash) {
  std::uint64_t state = 1;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<char> bytes(state % 40);
    for (char& byte : bytes)
      byte = static_cast<char>((state = state * 6364136223846793005ULL + 1442695040888963407ULL) >> 56);
    try {
      (void)FromBytes<Track>(std::string_view(bytes.data(), bytes.size()));
    } catch (const CodecError&) {
    }
    state = state * 6364136223846793005ULL + static_cast<std::uint64_t>(round);
    state ^= state >> 29;
  }
}

}  // namespace
}  // namespace millrace
