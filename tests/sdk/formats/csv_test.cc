// CSV into structs and back: quoting, headers, options, places and reasons of errors.
#include "millrace/formats/csv.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace market {
enum class Side { kBuy, kSell };
MILLRACE_ENUM(Side, {"buy", Side::kBuy}, {"sell", Side::kSell})

struct Trade {
  std::string symbol;
  double price = 0;
  std::optional<std::int16_t> size;
  Side side = Side::kBuy;
  std::string_view venue;
  bool own = false;
};
MILLRACE_FIELDS(Trade, symbol, price, size, side, venue, own)

struct Texts {
  std::string a;
  std::optional<std::string> b;
  std::string c;
};
MILLRACE_FIELDS(Texts, a, b, c)
}  // namespace market

namespace millrace {
namespace {

using market::Texts;
using market::Trade;

std::vector<std::string> Fields(std::string_view record, const CsvOptions& options = {}) {
  std::vector<std::string> fields;
  ForEachCsvField(record, options,
                  [&](std::size_t, const CsvField& field) { fields.push_back(field.Unescaped(options.quote)); });
  return fields;
}

std::string Why(std::string_view record, const Csv<Trade>& csv = Csv<Trade>()) {
  try {
    csv.Parse(record);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "read";
}

TEST(CsvTest, Fields) {
  using List = std::vector<std::string>;
  EXPECT_EQ(Fields(""), List({""}));
  EXPECT_EQ(Fields(","), List({"", ""}));
  EXPECT_EQ(Fields("a,b\r\n"), List({"a", "b"}));
  EXPECT_EQ(Fields(R"("a,b","c""d","""","")"), List({"a,b", "c\"d", "\"", ""}));
  EXPECT_EQ(Fields("\"a\r\nb\",c"), List({"a\r\nb", "c"}));
  EXPECT_EQ(Fields(" a , b "), List({" a ", " b "}));
  EXPECT_EQ(Fields(" a ,\t\" b \" , ", {.trim = true}), List({"a", " b ", ""}));
  EXPECT_EQ(Fields("a\t \t'b''c'", {.delimiter = '\t', .quote = '\'', .trim = true}), List({"a", "", "b'c"}));
  for (const char* bad : {"a\"b", "\"a", "\"a\"b", "\"", "a\nb", "x,\"a\"\"", " \"a\""}) {
    EXPECT_THROW(Fields(bad), FormatError) << bad;
  }
  EXPECT_THROW(Fields("a", {.delimiter = '"'}), std::invalid_argument);
  EXPECT_THROW(Fields("a", {.delimiter = '\n'}), std::invalid_argument);
}

TEST(CsvTest, Struct) {
  const std::string line = R"("A ""B""",1.25,-3,sell,here,true)";
  const Trade trade = ParseCsv<Trade>(line);
  EXPECT_EQ(trade.symbol, "A \"B\"");
  EXPECT_EQ(trade.price, 1.25);
  EXPECT_EQ(trade.size, -3);
  EXPECT_EQ(trade.side, market::Side::kSell);
  EXPECT_EQ(trade.venue.data(), line.data() + line.find("here"));
  EXPECT_TRUE(trade.own);
  EXPECT_EQ(Csv<Trade>().Line(trade), line);
  EXPECT_EQ(ParseCsv<Trade>("x,1,,buy,,0").size, std::nullopt);
}

TEST(CsvTest, Reasons) {
  EXPECT_EQ(Why("x,1,40000,buy,,0"),
            "field size, at byte 4: a whole number from -32768 to 32767 is needed, and there is 40000");
  EXPECT_EQ(Why("x,1e999,1,buy,,0"), "field price, at byte 2: a number is needed, and there is 1e999");
  EXPECT_EQ(Why("x,nan,1,buy,,0"), "field price, at byte 2: a number is needed, and there is nan");
  EXPECT_EQ(Why("x,,1,buy,,0"), "field price, at byte 2: a number is needed, and there is nothing");
  EXPECT_EQ(Why("x,1,1,hold,,0"), "field side, at byte 6: one of buy sell is needed, and there is hold");
  EXPECT_EQ(Why("x,1,1,buy,,yes"), "field own, at byte 11: true, false, 1 or 0 is needed, and there is yes");
  EXPECT_EQ(Why("x,1,1,buy,\"a\"\"b\",1"),
            "field venue, at byte 10: text without doubled quotes (or a member of type std::string instead of "
            "std::string_view) is needed, and there is a\"\"b");
  EXPECT_EQ(Why("x,1"), "at byte 3: 6 fields are needed, and there are 2");
  EXPECT_EQ(Why("x,1,1,buy,,0,9"), "at byte 13: 6 fields are needed, and there are 7 or more");
  EXPECT_EQ(Why("x,1,1,buy,,0,9", Csv<Trade>({.refuse_unknown = false})), "read");
}

TEST(CsvTest, Header) {
  const Csv<Trade> csv({.delimiter = ';'}, "own;\"price\";side;venue;note;symbol\r\n");
  EXPECT_EQ(csv.Header(), "own;price;side;venue;note;symbol");
  EXPECT_TRUE(csv.IsHeader("own;price;side;venue;note;symbol\n"));
  EXPECT_FALSE(csv.IsHeader("1;2;buy;v;n;s"));
  const Trade trade = csv.Parse("1;2;buy;v;n,n;s");
  EXPECT_EQ(trade.symbol, "s");
  EXPECT_EQ(trade.price, 2);
  EXPECT_EQ(csv.Line(trade), "true;2;buy;v;;s");
  EXPECT_THROW(Csv<Trade>({}, "price,side,venue,own"), std::invalid_argument);
  EXPECT_THROW(Csv<Trade>({}, "symbol,price,side,venue,own,own"), std::invalid_argument);
}

std::string RandomText(std::mt19937& random) {
  static constexpr std::string_view kChars = "ab,;\"\"\r\n \t'x1-\xc3\xa9";
  std::string text;
  for (std::size_t n = random() % 7; n > 0; --n) text += kChars[random() % kChars.size()];
  return text;
}

TEST(CsvTest, WhatIsWrittenReadsBack) {
  std::mt19937 random(1);
  const std::vector<CsvOptions> kinds = {{}, {.delimiter = ';'}, {.delimiter = '\t', .quote = '\''}, {.trim = true}};
  for (int i = 0; i < 20'000; ++i) {
    const Csv<Texts> csv(kinds[random() % kinds.size()]);
    const Texts in{RandomText(random), std::nullopt, RandomText(random)};
    Texts with = in;
    if (random() % 2 == 0) with.b = RandomText(random);
    const Texts out = csv.Parse(csv.Line(with) + (random() % 2 == 0 ? "\r\n" : ""));
    ASSERT_EQ(out.a, with.a);
    ASSERT_EQ(out.b, with.b);
    ASSERT_EQ(out.c, with.c);
  }
}

TEST(CsvTest, RandomBytes) {
  std::mt19937 random(2);
  static constexpr std::string_view kLikely = ",\"\r\n 1.-ebuysel;true";
  std::size_t read = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string line = R"("A ""B""",1.25,-3,sell,here,true)";
    if (i % 4 == 0) line.resize(random() % line.size());
    for (std::size_t n = random() % 3; n > 0 && !line.empty(); --n) {
      line[random() % line.size()] =
          random() % 2 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
    }
    const std::vector<char> exact(line.begin(), line.end());
    read += Why({exact.data(), exact.size()}) == "read" ? 1 : 0;
  }
  EXPECT_GT(read, 10'000U);
}

}  // namespace
}  // namespace millrace
