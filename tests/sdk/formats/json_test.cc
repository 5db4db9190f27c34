// JSON into structs and back: types, ranges, missing and unknown fields, places and reasons of errors.
#include "millrace/formats/json.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace shop {
enum class Kind { kView, kClick };
enum class Plain : std::uint8_t { kA, kB };
MILLRACE_ENUM(Kind, {"view", Kind::kView}, {"click", Kind::kClick})

struct Item {
  std::string name;
  double price = 0;
};
MILLRACE_FIELDS(Item, name, price)

struct Event {
  std::string_view user;
  Kind kind = Kind::kView;
  std::int64_t time = 0;
  std::uint8_t age = 0;
  bool paid = false;
  std::optional<std::string> note;
  std::vector<Item> items;
};
MILLRACE_FIELDS(Event, user, kind, time, age, paid, note, items)

struct Renamed {
  std::string stamp;
  int count = 7;
};
constexpr auto MillraceFields(const Renamed*) {
  return millrace::FieldList(millrace::Field("@timestamp", &Renamed::stamp),
                             millrace::Field("count", &Renamed::count).Defaulted());
}

struct Tree {
  int n = 0;
  std::vector<Tree> children;
};
MILLRACE_FIELDS(Tree, n, children)

struct Wide {
  std::int8_t i8 = 0;
  std::uint64_t u64 = 0;
  std::int64_t i64 = 0;
  float f = 0;
  double d = 0;
  Plain plain = Plain::kA;
  std::array<int, 2> pair = {};
  std::vector<bool> flags;
  std::map<std::string, int> counts;
  std::optional<std::optional<int>> twice;
};
MILLRACE_FIELDS(Wide, i8, u64, i64, f, d, plain, pair, flags, counts, twice)
}  // namespace shop

namespace millrace {
namespace {

const std::string kEvent = R"({"user":"ann","kind":"click","time":1700000000000,"age":41,"paid":true,"note":null,)"
                           R"("items":[{"name":"caf\u00e9 \"x\"","price":1.5},{"price":-2e3,"name":""}]})";

template <class T>
std::string Why(std::string_view record, const JsonOptions& options = {}) {
  try {
    ParseJson<T>(record, options);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "read";
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

// The text with @ replaced by where something is in kEvent.
std::string At(std::string_view what, std::string text) {
  return Replaced(std::move(text), "@", std::to_string(kEvent.find(what)));
}

TEST(JsonTest, Struct) {
  const auto event = ParseJson<shop::Event>(kEvent);
  EXPECT_EQ(event.user, "ann");
  EXPECT_EQ(event.user.data(), kEvent.data() + 9);  // a view into the record
  EXPECT_EQ(event.kind, shop::Kind::kClick);
  EXPECT_EQ(event.time, 1700000000000);
  EXPECT_EQ(event.age, 41);
  EXPECT_TRUE(event.paid);
  EXPECT_FALSE(event.note.has_value());
  ASSERT_EQ(event.items.size(), 2U);
  EXPECT_EQ(event.items[0].name, "caf\u00e9 \"x\"");
  EXPECT_EQ(event.items[1].price, -2000);
}

TEST(JsonTest, ReasonsNameFieldPlaceAndWhatWasFound) {
  EXPECT_EQ(Why<shop::Event>(Replaced(kEvent, "41", "300")),
            At("41", "field age, at byte @: a whole number from 0 to 255 is needed, and there is 300"));
  EXPECT_EQ(Why<shop::Event>(Replaced(kEvent, "41", "-1")),
            At("41", "field age, at byte @: a whole number from 0 to 255 is needed, and there is -1"));
  EXPECT_EQ(Why<shop::Event>(Replaced(kEvent, "1.5", "\"1.5\"")),
            At("1.5", "field items[0].price, at byte @: a number is needed, and there is \"1.5\""));
  EXPECT_EQ(Why<shop::Event>(Replaced(kEvent, "\"click\"", "\"look\"")),
            "field kind, at byte 21: one of view click is needed, and there is \"look\"");
  EXPECT_EQ(Why<shop::Event>(Replaced(kEvent, "true", "yes")),
            At("true", "field paid, at byte @: true or false is needed, and there is yes"));
  EXPECT_EQ(Why<shop::Event>(Replaced(kEvent, "ann", "a\\nn")),
            "field user, at byte 8: text without escapes (or a member of type std::string instead of std::string_view) "
            "is needed, and there is \"a\\nn\"");
  EXPECT_EQ(Why<shop::Event>("[1]"), "at byte 0: an object is needed, and there is [1]");
  EXPECT_EQ(Why<shop::Event>(R"({"user":"a"} )"),
            "field kind, at byte 0: this field is missing in the object that begins here");
  EXPECT_EQ(
      Why<shop::Event>(Replaced(kEvent, ",\"price\":1.5", "")),
      At("{\"name\":\"caf", "field items[0].price, at byte @: this field is missing in the object that begins here"));
}

TEST(JsonTest, DamageIsABadRecord) {
  for (const std::string& record :
       {std::string(), std::string(" "), std::string("{"), std::string("null"), std::string("7"), std::string("\"a\""),
        kEvent + "x", kEvent + "{}", kEvent.substr(0, kEvent.size() - 1), Replaced(kEvent, "ann", "a\xff"),
        Replaced(kEvent, "ann", std::string_view("a\0", 2)), Replaced(kEvent, "note", "note\\"),
        Replaced(kEvent, "\\u00e9", "\\ud800"), Replaced(kEvent, "\\u00e9", "\\x"), Replaced(kEvent, "41", "041"),
        Replaced(kEvent, "41", "4 1"), Replaced(kEvent, "null", "nul"), Replaced(kEvent, "null", "nulll")}) {
    EXPECT_NE(Why<shop::Event>(record), "read") << record;
  }
  EXPECT_EQ(Why<shop::Event>(kEvent + " \r\n"), "read");
}

TEST(JsonTest, UnknownMissingAndRenamed) {
  const std::string unknown = Replaced(kEvent, "\"age\"", R"("deep":{"a":[1,{"b":"}"}]},"age")");
  EXPECT_EQ(Why<shop::Event>(unknown), "read");
  EXPECT_EQ(Why<shop::Event>(unknown, {.refuse_unknown = true}),
            At("age", "at byte @: there is a field that is not known: deep"));
  EXPECT_EQ(ParseJson<shop::Event>("{}", {.missing_keep_default = true}).kind, shop::Kind::kView);
  const auto renamed = ParseJson<shop::Renamed>(R"({"@\u0074imestamp":"x\ty"})");
  EXPECT_EQ(renamed.stamp, "x\ty");
  EXPECT_EQ(renamed.count, 7);
  EXPECT_EQ(Why<shop::Renamed>("{}"),
            "field @timestamp, at byte 0: this field is missing in the object that begins here");
  EXPECT_EQ(ParseJson<shop::Renamed>(R"({"count":1,"@timestamp":"","count":2})").count, 2);
}

TEST(JsonTest, Ranges) {
  const std::string wide = R"({"i8":-128,"u64":18446744073709551615,"i64":-9223372036854775808,"f":1.5,"d":5e-324,)"
                           R"("plain":1,"pair":[1,2],"flags":[true,false],"counts":{"a":1,"b\n":2},"twice":3})";
  const auto value = ParseJson<shop::Wide>(wide);
  EXPECT_EQ(value.u64, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(value.i64, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(value.plain, shop::Plain::kB);
  EXPECT_EQ(value.flags, (std::vector<bool>{true, false}));
  EXPECT_EQ(value.counts.at("b\n"), 2);
  EXPECT_EQ(ToJson(value), Replaced(wide, "5e-324", ToJson(5e-324)));
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"-128", "-129"},
                                                        {"-128", "1.0"},
                                                        {"-128", "null"},
                                                        {"18446744073709551615", "18446744073709551616"},
                                                        {"18446744073709551615", "-1"},
                                                        {"-9223372036854775808", "-9223372036854775809"},
                                                        {"1.5", "1e39"},
                                                        {"5e-324", "1e999"},
                                                        {"5e-324", "NaN"},
                                                        {"[1,2]", "[1]"},
                                                        {"[1,2]", "[1,2,3]"},
                                                        {"[1,2]", "[1,2"},
                                                        {"[true,false]", "[true,0]"},
                                                        {"\"plain\":1", "\"plain\":256"}}) {
    EXPECT_NE(Why<shop::Wide>(Replaced(wide, from, to)), "read") << to;
  }
}

TEST(JsonTest, Nesting) {
  std::string deep = R"({"n":1,"children":[]})";
  for (int i = 0; i < 90; ++i) deep = R"({"n":1,"children":[)" + deep + "]}";
  EXPECT_EQ(ToJson(ParseJson<shop::Tree>(deep)), deep);
  for (int i = 0; i < 20; ++i) deep = R"({"n":1,"children":[)" + deep + "]}";
  EXPECT_NE(Why<shop::Tree>(deep).find("fewer than 100 levels"), std::string::npos);
}

TEST(JsonTest, Fields) {
  EXPECT_EQ(JsonField<std::string_view>(kEvent, "user"), "ann");
  EXPECT_EQ(JsonField<std::string>(kEvent, "items[0].name"), "caf\u00e9 \"x\"");
  const auto [price, age, none, gone] = JsonFields<double, int, std::optional<int>, std::optional<int>>(
      kEvent, {"items[1].price", "age", "note.x", "items[9].price"});
  EXPECT_EQ(price, -2000);
  EXPECT_EQ(age, 41);
  EXPECT_FALSE(none || gone);
  EXPECT_EQ(JsonField<shop::Item>(kEvent, "items[1]").price, -2000);
  const auto why = [](std::string_view path) -> std::string {
    try {
      JsonField<int>(kEvent, path);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "read";
  };
  EXPECT_EQ(why("nowhere"), "field nowhere, at byte 0: this field is missing");
  EXPECT_EQ(why("user.x"), "field user.x, at byte 0: what should hold this field is no object, or no list");
  EXPECT_NE(why("user").find("a whole number from"), std::string::npos);
  for (const char* path : {"", ".", "a.", "a..b", "a[", "a[x]", "a[1", "a.[1]", "a[1]b"}) {
    EXPECT_NE(why(path).find("is no path"), std::string::npos) << path;
  }
}

TEST(JsonTest, Writer) {
  EXPECT_EQ(ToJson(std::string_view("\x01\x1f\"\\/\n\r\t\b\f\u00e9", 12)),
            "\"\\u0001\\u001f\\\"\\\\/\\n\\r\\t\\b\\f\u00e9\"");
  EXPECT_EQ(ToJson(ParseJson<shop::Event>(kEvent)),
            Replaced(Replaced(Replaced(kEvent, "\"note\":null,", ""), "\\u00e9", "\u00e9"),
                     R"({"price":-2e3,"name":""})", R"({"name":"","price":-2000})"));
  EXPECT_THROW(ToJson(std::numeric_limits<double>::infinity()), FormatError);
  EXPECT_THROW(ToJson(std::string("a\xc0\x80")), FormatError);
  EXPECT_THROW(ToJson(std::string("\xed\xa0\x80")), FormatError);
  EXPECT_THROW(ToJson(static_cast<shop::Kind>(9)), FormatError);
  EXPECT_EQ(ToJson(std::vector<std::optional<int>>{1, std::nullopt}), "[1,null]");
}

// Every cut, and many flips, of a record: read or refused, and never read where it is not. Under a sanitizer this says
// most. Exact copies on the heap, so that a byte too far is seen.
TEST(JsonTest, RandomDamage) {
  for (std::size_t size = 0; size < kEvent.size(); ++size) {
    const std::vector<char> exact(kEvent.begin(), kEvent.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_NE(Why<shop::Event>({exact.data(), exact.size()}), "read");
  }
  std::mt19937 random(1);
  const std::string_view likely = "{}[]\",:\\0123456789eE+-.tfn \xc3\xff";
  std::size_t read = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::vector<char> bytes(kEvent.begin(), kEvent.end());
    for (std::size_t n = 1 + random() % 4; n > 0; --n) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes[at] = likely[random() % likely.size()];
          break;
        case 2:
          bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        default:
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), likely[random() % likely.size()]);
      }
    }
    bytes.shrink_to_fit();
    const std::string_view record(bytes.data(), bytes.size());
    try {
      const auto event = ParseJson<shop::Event>(record);
      EXPECT_TRUE(event.user.empty() || (event.user.data() >= record.data() &&
                                         event.user.data() + event.user.size() <= record.data() + record.size()));
      EXPECT_NO_THROW(ParseJson<shop::Item>(ToJson(event), {.missing_keep_default = true}));
      ++read;
    } catch (const FormatError&) {
    }
    try {
      JsonField<std::optional<std::string>>(record, "items[1].name");
    } catch (const FormatError&) {
    }
  }
  EXPECT_GT(read, 1000U);
}

TEST(JsonTest, LongRecordsAndThreads) {
  std::string tree = R"({"n":1,"children":[{"n":2,"children":[]})";
  for (int i = 0; i < 200'000; ++i) tree += R"(,{"n":3,"children":[]})";
  tree += "]}";
  EXPECT_EQ(ParseJson<shop::Tree>(tree).children.size(), 200'001U);
  EXPECT_EQ(ParseJson<shop::Event>(kEvent).user, "ann");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 1000; ++i) EXPECT_EQ(ParseJson<shop::Event>(kEvent).items.size(), 2U);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace millrace
