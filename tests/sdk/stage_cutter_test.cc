#include "millrace/internal/stage_cutter.h"

#include <gtest/gtest.h>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Ids = std::vector<std::uint32_t>;

auto Lines(JobContext& ctx) { return ctx.TextFiles({.directory = "d"}); }
const auto kSize = [](std::string_view t) { return t.size(); };
const auto kAdd = [](std::size_t a, std::size_t b) { return a + b; };

TEST(StageCutterTest, AChainIsOneStage) {
  const Harness job([](JobContext& ctx) { Lines(ctx).Map(kSize).Print(); });
  ASSERT_EQ(job.graph().stages.size(), 1u);
  const engine::StageDescription& stage = job.graph().stages[0];
  EXPECT_EQ(stage.root, 0u);
  EXPECT_EQ(stage.partitions, 0u);
  EXPECT_EQ(stage.operators, (Ids{0, 1, 2}));
  EXPECT_EQ(stage.shuffles, Ids{});
  EXPECT_EQ(stage.sinks, Ids{2});
  EXPECT_FALSE(stage.runs_empty);
}

TEST(StageCutterTest, ADiamondIsOneStageAndMeetsItself) {
  Harness job([](JobContext& ctx) {
    const auto lines = Lines(ctx);
    const auto left = lines.Filter([](std::string_view t) { return t.size() < 2; });
    const auto right = lines.Filter([](std::string_view t) { return t.size() > 1; });
    left.Union(right).Print();
  });
  ASSERT_EQ(job.graph().stages.size(), 1u);
  EXPECT_EQ(job.graph().stages[0].operators, (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(job.graph().operators[3].inputs, (Ids{1, 2}));
  job.Feed(0, {{"a", "bb", "c"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(4), (std::vector<std::string>{"a", "bb", "c"}));
}

TEST(StageCutterTest, AUnionOfTwoSourcesIsInBothStages) {
  Harness job([](JobContext& ctx) {
    const auto both = Lines(ctx).Union(Lines(ctx));  // 0, 1, 2
    both.CountByValue(2).Print();                    // 3, 4
  });
  ASSERT_EQ(job.graph().stages.size(), 3u);
  EXPECT_EQ(job.graph().stages[0].operators, (Ids{0, 2}));
  EXPECT_EQ(job.graph().stages[1].operators, (Ids{1, 2}));
  EXPECT_EQ(job.graph().stages[0].shuffles, Ids{3});
  EXPECT_EQ(job.graph().stages[1].shuffles, Ids{3});
  EXPECT_EQ(job.graph().stages[2].root, 3u);
  EXPECT_EQ(job.graph().stages[2].partitions, 2u);
  EXPECT_EQ(job.graph().stages[2].operators, (Ids{3, 4}));
  job.Feed(0, {{"a", "b"}, {"a"}});
  job.Feed(1, {{"b", "c"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(4), (std::vector<std::string>{"(a, 2)", "(b, 2)", "(c, 1)"}));
  job.Feed(0, {});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(4), (std::vector<std::string>{"(b, 1)", "(c, 1)"}));
}

TEST(StageCutterTest, AUnionOfASourceAndAShuffle) {
  Harness job([](JobContext& ctx) {
    const auto lines = Lines(ctx);                       // 0
    const auto dealt = lines.Repartition(2);             // 1
    dealt.Union(lines).Map(kSize).Reduce(kAdd).Print();  // 2, 3, 4, 5
  });
  ASSERT_EQ(job.graph().stages.size(), 3u);
  EXPECT_EQ(job.graph().stages[0].operators, (Ids{0, 2, 3}));
  EXPECT_EQ(job.graph().stages[0].shuffles, (Ids{1, 4}));
  EXPECT_EQ(job.graph().stages[1].operators, (Ids{1, 2, 3}));
  EXPECT_EQ(job.graph().stages[1].shuffles, Ids{4});
  EXPECT_EQ(job.graph().stages[2].operators, (Ids{4, 5}));
  job.Feed(0, {{"a", "bb"}, {"ccc"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(5), std::vector<std::string>{"12"});
}

TEST(StageCutterTest, ChainedShuffles) {
  const Harness job([](JobContext& ctx) {
    Lines(ctx).Repartition(3).Map(kSize).Repartition(5).Count().Print();  // 0, 1, 2, 3, 4, 5
  });
  ASSERT_EQ(job.graph().stages.size(), 4u);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(job.graph().stages[i].id, i);
  EXPECT_EQ(job.graph().stages[1].partitions, 3u);
  EXPECT_EQ(job.graph().stages[2].partitions, 5u);
  EXPECT_EQ(job.graph().stages[3].partitions, 1u);
  EXPECT_EQ(job.graph().stages[1].operators, (Ids{1, 2}));
  EXPECT_EQ(job.graph().stages[1].shuffles, Ids{3});
  EXPECT_EQ(job.graph().stages[3].sinks, Ids{5});
}

TEST(StageCutterTest, WhatMustRunWithoutRecords) {
  const auto last_runs_empty = [](const Harness::Body& body) { return Harness(body).graph().stages.back().runs_empty; };
  EXPECT_TRUE(last_runs_empty([](JobContext& ctx) { Lines(ctx).Count().Print(); }));
  EXPECT_TRUE(last_runs_empty([](JobContext& ctx) {
    Lines(ctx).MapPartitions([](auto rows) { return std::vector<std::size_t>{rows.size()}; }).Print();
  }));
  EXPECT_TRUE(last_runs_empty([](JobContext& ctx) { Lines(ctx).ForEachBatch([](const auto&, auto) {}); }));
  EXPECT_FALSE(last_runs_empty([](JobContext& ctx) { Lines(ctx).CountByValue().Print(); }));
  EXPECT_FALSE(last_runs_empty([](JobContext& ctx) { Lines(ctx).Map(kSize).Reduce(kAdd).Print(); }));
  const Harness count([](JobContext& ctx) { Lines(ctx).Count().Print(); });
  EXPECT_FALSE(count.graph().stages[0].runs_empty);  // only the final step must run
}

TEST(StageCutterTest, WhatReachesNoOutputIsInNoStage) {
  const Harness job([](JobContext& ctx) {
    Lines(ctx).CountByValue();        // 0, 1: a source that nothing needs
    const auto lines = Lines(ctx);    // 2
    lines.Map(kSize).Repartition(4);  // 3, 4
    lines.Print();                    // 5
  });
  EXPECT_EQ(job.graph().operators.size(), 6u);
  ASSERT_EQ(job.graph().stages.size(), 1u);
  EXPECT_EQ(job.graph().stages[0].root, 2u);
  EXPECT_EQ(job.graph().stages[0].operators, (Ids{2, 5}));
  EXPECT_EQ(job.graph().stages[0].shuffles, Ids{});
}

}  // namespace
}  // namespace millrace
