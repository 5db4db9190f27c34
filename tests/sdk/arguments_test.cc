#include "millrace/internal/arguments.h"

#include <gtest/gtest.h>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

// What `ask` throws when these arguments were given.
template <class F>
std::string Refusal(const engine::Options& given, const F& ask) {
  try {
    const Harness job(
        [&](JobContext& ctx) {
          ask(ctx);
          ctx.TextFiles({.directory = "d"}).Print();
        },
        given);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ArgumentsTest, AreReadAsTheTypeOfTheirDefault) {
  JobContext ctx("job",
                 {"", {{"t", "text"}, {"i", "-7"}, {"d", "2.5"}, {"b", "true"}, {"ms", "250ms"}, {"h", "1h"}}, 0});
  EXPECT_EQ(ctx.Arg("t"), "text");
  EXPECT_EQ(ctx.Arg("t", "other"), "text");
  EXPECT_EQ(ctx.Arg("i", 1), -7);
  EXPECT_EQ(ctx.Arg("d", 1.0), 2.5);
  EXPECT_TRUE(ctx.Arg("b", false));
  EXPECT_EQ(ctx.Arg("ms", 1s), 250ms);
  EXPECT_EQ(ctx.Arg("h", 1s), 1h);
}

TEST(ArgumentsTest, HaveDefaults) {
  JobContext ctx("job", {});
  EXPECT_EQ(ctx.Arg("t", "other"), "other");
  EXPECT_EQ(ctx.Arg("i", std::uint64_t{9}), 9u);
  EXPECT_EQ(ctx.Arg("ms", 2s), 2s);
}

TEST(ArgumentsTest, ErrorsSayWhatIsWanted) {
  EXPECT_EQ(Refusal({}, [](JobContext& ctx) { ctx.Arg("topic"); }), "argument topic must be given, as topic=value");
  EXPECT_EQ(Refusal({{"n", "12x"}}, [](JobContext& ctx) { ctx.Arg("n", 1); }),
            "argument n=12x: must be a whole number");
  EXPECT_EQ(Refusal({{"n", ""}}, [](JobContext& ctx) { ctx.Arg("n", 1); }), "argument n=: must be a whole number");
  EXPECT_EQ(Refusal({{"n", "300"}}, [](JobContext& ctx) { ctx.Arg("n", std::uint8_t{1}); }),
            "argument n=300: is out of range");
  EXPECT_EQ(Refusal({{"n", "-1"}}, [](JobContext& ctx) { ctx.Arg("n", 1u); }), "argument n=-1: must be a whole number");
  EXPECT_EQ(Refusal({{"x", "a"}}, [](JobContext& ctx) { ctx.Arg("x", 0.5); }), "argument x=a: must be a number");
  EXPECT_EQ(Refusal({{"b", "yes"}}, [](JobContext& ctx) { ctx.Arg("b", true); }),
            "argument b=yes: must be true or false");
  for (const char* bad : {"5", "ms", "5 ms", "-5ms", "99999999999999999h", "5d"}) {
    EXPECT_EQ(Refusal({{"t", bad}}, [](JobContext& ctx) { ctx.Arg("t", 1s); }),
              std::string("argument t=") + bad + ": must be a time as 250ms, 5s, 200us, 2m or 1h");
  }
}

TEST(ArgumentsTest, MisspeltOnesAreRefused) {
  const auto ask = [](JobContext& ctx) {
    ctx.Arg("seed", 1);
    ctx.Arg("rate", 1);
  };
  EXPECT_EQ(Refusal({{"rate", "5"}}, ask), "accepted");
  EXPECT_EQ(Refusal({{"rtae", "5"}}, ask), "argument rtae=5 is not one of this job's; it asks for rate, seed");
  EXPECT_EQ(Refusal({{"x", "5"}}, [](JobContext&) {}), "argument x=5 is not one of this job's; it asks for none");
}

}  // namespace
}  // namespace millrace
