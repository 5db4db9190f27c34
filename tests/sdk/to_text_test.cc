#include "millrace/to_text.h"

#include <gtest/gtest.h>

#include "millrace/internal/type_name.h"
#include "millrace/kafka_record.h"
#include "millrace/message.h"

namespace millrace {
namespace {

enum class Color { kRed = 4 };
struct Point {
  int x;
  std::string name;
};

TEST(ToTextTest, EveryKnownType) {
  EXPECT_EQ(TextOf(std::string("as is")), "as is");
  EXPECT_EQ(TextOf("literal"), "literal");
  EXPECT_EQ(TextOf('c'), "c");
  EXPECT_EQ(TextOf(-5L), "-5");
  EXPECT_EQ(TextOf(std::uint8_t{200}), "200");
  EXPECT_EQ(TextOf(0.1), "0.1");
  EXPECT_EQ(TextOf(std::numeric_limits<double>::denorm_min()), "5e-324");
  EXPECT_EQ(TextOf(true), "true");
  EXPECT_EQ(TextOf(Color::kRed), "4");
  EXPECT_EQ(TextOf(std::pair("a", 1)), "(a, 1)");
  EXPECT_EQ(TextOf(std::tuple(1, std::string_view("b"), false)), "(1, b, false)");
  EXPECT_EQ(TextOf(std::optional<int>()), "none");
  EXPECT_EQ(TextOf(std::optional<int>(3)), "3");
  EXPECT_EQ(TextOf(std::vector<std::string>{"a", "b"}), "[a, b]");
  EXPECT_EQ(TextOf(std::vector<bool>{true, false}), "[true, false]");
  EXPECT_EQ(TextOf(std::map<std::string, int>{{"a", 1}, {"b", 2}}), "{a: 1, b: 2}");
  EXPECT_EQ(TextOf(Point{3, "p"}), "{3, p}");
  EXPECT_EQ(TextOf(std::pair(Point{3, "p"}, std::vector<int>{})), "({3, p}, [])");
  EXPECT_EQ(TextOf(KafkaRecord{"k", "v", "t", 1, 2, {}, {}}), "t/1@2 k = v");
  EXPECT_EQ(TextOf(Message{"k", "v", "q", {}, {}}), "q k = v");
  EXPECT_EQ(TextOf(Message{{}, "v", {}, {}, {}}), "v");
}

TEST(TypeNameTest, IsWhatAnAuthorWouldWrite) {
  EXPECT_EQ((detail::TypeName<std::pair<std::string, std::vector<long>>>()),
            "std::pair<std::string, std::vector<long>>");
  EXPECT_EQ((detail::TypeName<std::optional<std::string_view>>()), "std::optional<std::string_view>");
  EXPECT_EQ((detail::TypeName<std::map<int, std::tuple<bool, double>>>()), "std::map<int, std::tuple<bool, double>>");
  EXPECT_EQ(detail::TypeName<KafkaRecord>(), "millrace::KafkaRecord");
}

}  // namespace
}  // namespace millrace
