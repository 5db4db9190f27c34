// What operators of two streams refuse at plan time, word for word; streams of another slide; checkpoints.
#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;
using Splits = std::vector<Harness::Split>;

std::pair<std::string_view, std::string_view> KeyAndValue(std::string_view line) {
  const std::size_t at = line.find('=');
  return {line.substr(0, at), line.substr(at + 1)};
}

// What building a job throws, without line numbers.
template <class F>
std::string Refusal(const F& build) {
  try {
    Harness job([&](JobContext& ctx) {
      build(ctx, ctx.TextFiles({.directory = "a"}).Map(KeyAndValue),
            ctx.TextFiles({.directory = "b"}).Map(KeyAndValue));
    });
  } catch (const std::invalid_argument& error) {
    return std::regex_replace(error.what(), std::regex("_test.cc:[0-9]+"), "_test.cc:N");
  }
  return "accepted";
}

TEST(JoinPlanTest, StreamsOfTwoContexts) {
  JobContext other("other", {});
  const auto foreign = other.TextFiles({.directory = "d"}).Map(KeyAndValue);
  const std::string why =
      " at join_plan_test.cc:N: the streams are of two contexts; build both from the same JobContext";
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto) { a.Join(foreign); }), "Join" + why);
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto) { a.LeftOuterJoin(foreign); }), "LeftOuterJoin" + why);
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto) { a.RightOuterJoin(foreign); }), "RightOuterJoin" + why);
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto) { a.FullOuterJoin(foreign); }), "FullOuterJoin" + why);
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto) { a.Cogroup(foreign); }), "Cogroup" + why);
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto) { a.JoinTable(foreign); }), "JoinTable" + why);
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto) {
              a.WithBroadcast(foreign, [](const auto& pair, const auto*) { return pair; });
            }),
            "WithBroadcast" + why);
  EXPECT_EQ(Refusal([&](JobContext& ctx, auto a, auto b) { ctx.Union({a, b, foreign}); }), "Union" + why);
  EXPECT_EQ(Refusal([&](JobContext& ctx, auto, auto) { ctx.Union({foreign}); }), "Union" + why);
}

TEST(JoinPlanTest, Partitions) {
  EXPECT_EQ(Refusal([](JobContext&, auto a, auto b) { a.Join(b, 0).Print(); }),
            "Join at join_plan_test.cc:N: 0 partitions are not possible; pass 1 to 65536");
  EXPECT_EQ(Refusal([](JobContext&, auto a, auto b) { a.Cogroup(b, 65536).Print(); }), "accepted");
  EXPECT_EQ(Refusal([](JobContext&, auto a, auto b) { a.JoinTable(b, 129).Print(); }),
            "JoinTable at join_plan_test.cc:N: it keeps state in 128 key groups and cannot have 129 partitions; pass "
            "fewer, or more groups with ctx.KeyGroups, before the job first runs");
}

// A stream whose slide a test can set, before there is a window.
template <class T>
struct Slow : DStream<T> {
  explicit Slow(const DStream<T>& stream) : DStream<T>(stream) {}
  DStream<T> Every(std::int64_t us) const {
    this->graph()->ChangeNode(this->id()).slide_us = us;
    return *this;
  }
};

TEST(JoinPlanTest, DifferingSlides) {
  const auto slow = [](auto stream) { return Slow(stream).Every(200'000); };
  const auto why = [](const std::string& name, const std::string& other) {
    return name + " at join_plan_test.cc:N: its inputs give results every 100 ms and every 200 ms (" + other +
           " at join_plan_test.cc:N); give both the same slide, for example with Window";
  };
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto b) { a.Join(slow(b)).Print(); }), why("Join", "Join (right)"));
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto b) { a.JoinTable(slow(b)).Print(); }),
            why("JoinTable", "JoinTable (right)"));
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto b) { a.Union(slow(b)).Print(); }), why("Union", "Map"));
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto b) {
              a.TransformWith(slow(b), [](const BatchContext&, auto x, auto) { return std::vector{x.size()}; }).Print();
            }),
            why("TransformWith", "TransformWith (right)"));
  EXPECT_EQ(Refusal([&](JobContext&, auto a, auto b) { slow(a).Join(slow(b)).Print(); }), "accepted");
}

// Slower streams give nothing between their batches, and neither does what is made of them.
TEST(JoinPlanTest, SlowStreams) {
  Harness job([](JobContext& ctx) {
    const auto a = Slow(ctx.TextFiles({.directory = "a"}).Map(KeyAndValue)).Every(300'000);
    const auto b = Slow(ctx.TextFiles({.directory = "b"}).Map(KeyAndValue)).Every(300'000);
    a.FullOuterJoin(b, 1).Print();
    a.TransformWith(b, [](const BatchContext&, auto x, auto y) { return std::vector{x.size(), y.size()}; }).Print();
  });
  for (std::uint64_t batch = 1; batch <= 6; ++batch) {
    const bool fires = batch % 3 == 0;
    job.Feed(0, fires ? Splits{{"a=1"}} : Splits{});
    job.RunBatch();
    EXPECT_EQ(job.texts(7), fires ? Texts{"(a, (1, none))"} : Texts{}) << batch;
    EXPECT_EQ(job.texts(11), fires ? (Texts{"1", "0"}) : Texts{}) << batch;
  }
}

// Exchanges have the level of the stream that they read.
TEST(JoinPlanTest, Persist) {
  const Harness job([](JobContext& ctx) {
    const auto a = ctx.TextFiles({.directory = "a"}).Persist(StorageLevel::kDiskOnly).Map(KeyAndValue);  // 0, 1
    const auto b = ctx.TextFiles({.directory = "b"}).Map(KeyAndValue);                                   // 2, 3
    const auto joined = a.Join(b).Cache();                                                               // 4, 5, 6
    b.Repartition(2).Repartition(3).Print();                                                             // 7, 8, 9
    joined.Map([](const auto& pair) { return pair.first; }).Count().Print();                             // 10, 11, 12
    joined.Persist(StorageLevel::kMemoryOnlySer);
    a.Persist(StorageLevel::kMemoryAndDiskSer).Count().Print();  // 13, 14; the level of a stream is the last given
    b.Union(a).Distinct().Print();                               // 15, 16
  });
  const auto level = [&](std::uint32_t op) {
    const auto& options = job.graph().operators[op].options;
    return options.contains("storage") ? options.at("storage") : "";
  };
  EXPECT_EQ(level(6), "memory and disk");
  EXPECT_EQ(level(7), "");
  EXPECT_EQ(level(8), "");
  EXPECT_EQ(level(11), "memory");
  EXPECT_EQ(level(13), "memory and disk");
  EXPECT_EQ(level(16), "memory and disk");
  EXPECT_EQ(level(1), "");  // only exchanges have blocks
}

TEST(JoinPlanTest, PersistNearestFirst) {
  const Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "a"}).Persist(StorageLevel::kDiskOnly);
    lines.Map(KeyAndValue).Distinct().Print();
    lines.Map(KeyAndValue).Persist(StorageLevel::kMemoryOnly).Distinct().Distinct().Print();
  });
  EXPECT_EQ(job.graph().operators[2].options.at("storage"), "disk");
  EXPECT_EQ(job.graph().operators[5].options.at("storage"), "memory");
  EXPECT_FALSE(job.graph().operators[6].options.contains("storage"));
}

TEST(JoinPlanTest, PersistInTwoCopies) {
  const Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "a"}).Persist(StorageLevel::kDiskOnly2);
    lines.Map(KeyAndValue).Distinct().Distinct().Print();
  });
  EXPECT_EQ(job.graph().operators[2].options.at("storage"), "disk");
  EXPECT_TRUE(job.graph().operators[2].options.contains("replicated"));
  EXPECT_FALSE(job.graph().operators[3].options.contains("replicated"));
}

TEST(JoinPlanTest, Checkpoint) {
  using namespace std::chrono_literals;
  const auto interval = [](const auto& build) {
    Harness job([&](JobContext& ctx) {
      build(ctx, ctx.TextFiles({.directory = "a"}).Map(KeyAndValue),
            ctx.TextFiles({.directory = "b"}).Map(KeyAndValue));
    });
    return job.graph().checkpoint_interval_us;
  };
  EXPECT_EQ(interval([](auto&, auto a, auto b) { a.JoinTable(b).Print(); }), 10'000'000u);
  EXPECT_EQ(interval([](auto&, auto a, auto b) { a.JoinTable(b).Checkpoint(2s).Print(); }), 2'000'000u);
  EXPECT_EQ(interval([](auto& ctx, auto a, auto b) {
              ctx.CheckpointInterval(1s);
              a.JoinTable(b).Checkpoint(2s).Print();
            }),
            1'000'000u);
  EXPECT_EQ(interval([](auto& ctx, auto a, auto b) {
              ctx.CheckpointInterval(5s);
              a.Checkpoint(3s).JoinTable(b).Checkpoint(30s).Print();
            }),
            3'000'000u);
  EXPECT_EQ(interval([](auto&, auto a, auto) { a.Checkpoint(2s).Print(); }), 0u);  // nothing keeps state
  EXPECT_EQ(
      Refusal([](JobContext&, auto a, auto) { a.Checkpoint(150ms).Print(); }),
      "Map at join_plan_test.cc:N: its checkpoint interval of 150 ms is not a multiple of 100 ms, its slide; pass a "
      "multiple");
  EXPECT_EQ(
      Refusal([](JobContext&, auto a, auto) { Slow(a).Every(400'000).Checkpoint(600ms).Print(); }),
      "Map at join_plan_test.cc:N: its checkpoint interval of 600 ms is not a multiple of 400 ms, its slide; pass a "
      "multiple");
  EXPECT_EQ(Refusal([](JobContext&, auto a, auto) { a.Checkpoint(0s); }),
            "Checkpoint at join_plan_test.cc:N: its interval is not positive; pass at least the slide");
}

TEST(JoinPlanTest, AfterTheBody) {
  JobContext context("job", {"", {}, 100'000});
  const auto pairs = context.TextFiles({.directory = "d"}).Map(KeyAndValue);
  pairs.Print();
  (void)context.Build();
  try {
    pairs.Join(pairs);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(
        std::regex_replace(error.what(), std::regex("_test.cc:[0-9]+"), "_test.cc:N"),
        "Join (left) at join_plan_test.cc:N: added after the job's body had returned; build the whole graph inside "
        "MILLRACE_JOB");
  }
}

}  // namespace
}  // namespace millrace
