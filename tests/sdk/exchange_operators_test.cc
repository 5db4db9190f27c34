// The operators that exchange records, against models in a few lines: with many map and reduce partitions, with few
// records, with none.
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;

// `records` lines of words over `splits` splits.
std::vector<Harness::Split> Lines(std::size_t splits, std::size_t records, std::uint32_t vocabulary = 300) {
  std::vector<Harness::Split> lines(splits);
  for (std::size_t i = 0; i < records; ++i) lines[i % splits].push_back(RandomLine(i, 1, 5, vocabulary));
  return lines;
}

auto Words(const DStream<std::string_view>& lines) {
  return lines.FlatMap([](std::string_view line, auto&& emit) { ForEachWord(line, emit); });
}

template <class V>
Texts Sorted(const std::map<std::string, V>& model) {
  Texts texts;
  for (const auto& one : model) texts.push_back(TextOf(one));
  std::sort(texts.begin(), texts.end());
  return texts;
}

std::uint32_t Last(const Harness& job) { return static_cast<std::uint32_t>(job.graph().operators.size() - 1); }

constexpr std::uint64_t kAll = 1'000'000;

struct Shape {
  std::size_t splits;
  std::size_t records;
  std::int64_t partitions;
};
const std::vector<Shape> kShapes = {{1, 10, 1}, {3, 5000, 4}, {7, 200, 2}, {2, 3, 64}, {4, 0, 3}};

TEST(ExchangeOperatorsTest, ReduceByKey) {
  for (const Shape& shape : kShapes) {
    Harness job([&](JobContext& ctx) {
      Words(ctx.TextFiles({.directory = "d"}))
          .Map([](std::string_view word) { return std::pair(word, 1); })
          .ReduceByKey([](int a, int b) { return a + b; }, shape.partitions)
          .Print(kAll);
    });
    const auto lines = Lines(shape.splits, shape.records);
    job.Feed(0, lines);
    job.RunBatch();
    std::map<std::string, int> model;
    for (const auto& split : lines) {
      for (const auto& line : split) ForEachWord(line, [&](std::string_view word) { ++model[std::string(word)]; });
    }
    EXPECT_EQ(job.sorted_texts(Last(job)), Sorted(model)) << shape.records << " records";
  }
}

TEST(ExchangeOperatorsTest, ReduceByKeyCombinesInTheMapTasks) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view word) { return std::pair(word, 1); })
        .ReduceByKey([](int a, int b) { return a + b; }, 1)
        .Print();
  });
  job.Feed(0, {Harness::Split(1000, "x"), Harness::Split(500, "x")});
  job.RunBatch();
  ASSERT_EQ(job.blocks(2, 0).size(), 2u);
  EXPECT_EQ(job.blocks(2, 0)[0].records, 1u);
  EXPECT_EQ(job.blocks(2, 0)[0].data.size(), 1 + 2 + 2u);  // one record: "x", 1000
  EXPECT_EQ(job.texts(3), Texts{"(x, 1500)"});
}

// Strings joined in order show the order in which partitions and records were merged.
TEST(ExchangeOperatorsTest, ReducersMergeInMapPartitionOrder) {
  const auto build = [](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view t) { return std::pair(t.substr(0, 1), t.substr(1)); })  // a value that is a view
        .ReduceByKey([](std::string_view a, std::string_view b) { return std::string(a) + std::string(b); }, 1)
        .Print();
  };
  Harness job(build);
  job.Feed(0, {{"k1", "k2", "j1"}, {"j2", "k3"}, {"k4"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(3), (Texts{"(k, 1234)", "(j, 12)"}));
}

TEST(ExchangeOperatorsTest, ReducersMayGiveAViewIntoTheirInput) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view t) { return std::pair(1, t); })
        .ReduceByKey([](std::string_view a, std::string_view b) { return a.size() >= b.size() ? a : b; }, 1)
        .Print();
  });
  const std::string longest(100, 'x');
  job.Feed(0, {{"a", longest, "b"}, {"cc"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(3), Texts{"(1, " + longest + ")"});
}

TEST(ExchangeOperatorsTest, ReduceByKeyMovesTheAccumulator) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view t) { return std::pair(t.size() % 2 == 0, std::vector<std::string>{std::string(t)}); })
        .ReduceByKey(
            [](std::vector<std::string> all, const std::vector<std::string>& more) {
              all.insert(all.end(), more.begin(), more.end());
              return all;
            },
            2)
        .Print();
  });
  job.Feed(0, {{"a", "bb", "c"}, {"dd"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(3), (Texts{"(false, [a, c])", "(true, [bb, dd])"}));
}

struct Place {
  std::string town;
  std::uint8_t zone;
};

TEST(ExchangeOperatorsTest, KeysOfManyTypes) {
  const auto run = [](auto key) {
    Harness job([&](JobContext& ctx) {
      ctx.TextFiles({.directory = "d"})
          .Map([key](std::string_view t) { return std::pair(key(t), 1); })
          .ReduceByKey([](int a, int b) { return a + b; }, 5)
          .Print();
    });
    job.Feed(0, {{"a1", "b1", "a2"}, {"a1"}});
    job.RunBatch();
    return job.sorted_texts(3);
  };
  EXPECT_EQ(run([](std::string_view t) { return std::pair(t.substr(0, 1), t.substr(1)); }),
            (Texts{"((a, 1), 2)", "((a, 2), 1)", "((b, 1), 1)"}));
  EXPECT_EQ(run([](std::string_view t) { return std::tuple(std::string(t), 1.5); }),
            (Texts{"((a1, 1.5), 2)", "((a2, 1.5), 1)", "((b1, 1.5), 1)"}));
  EXPECT_EQ(run([](std::string_view t) {
              return std::vector<std::string_view>{t.substr(1), t.substr(0, 1)};
            }),
            (Texts{"([1, a], 2)", "([1, b], 1)", "([2, a], 1)"}));
  EXPECT_EQ(run([](std::string_view t) {
              return Place{std::string(t.substr(0, 1)), std::uint8_t(t[1] - '0')};
            }),
            (Texts{"({a, 1}, 2)", "({a, 2}, 1)", "({b, 1}, 1)"}));
  EXPECT_EQ(run([](std::string_view t) { return std::optional(t.substr(1)); }), (Texts{"(1, 3)", "(2, 1)"}));
}

TEST(ExchangeOperatorsTest, GroupByKey) {
  for (const Shape& shape : kShapes) {
    Harness job([&](JobContext& ctx) {
      ctx.TextFiles({.directory = "d"})
          .Map([](std::string_view line) { return std::pair(line.substr(0, 2), line); })
          .GroupByKey(shape.partitions)
          .Print(kAll);
    });
    const auto lines = Lines(shape.splits, shape.records);
    job.Feed(0, lines);
    job.RunBatch();
    std::map<std::string, std::vector<std::string>> model;
    for (const auto& split : lines) {
      for (const auto& line : split) model[line.substr(0, 2)].push_back(line);
    }
    EXPECT_EQ(job.sorted_texts(Last(job)), Sorted(model)) << shape.records << " records";
  }
}

TEST(ExchangeOperatorsTest, CountByValue) {
  for (const Shape& shape : kShapes) {
    Harness job(
        [&](JobContext& ctx) { Words(ctx.TextFiles({.directory = "d"})).CountByValue(shape.partitions).Print(kAll); });
    const auto lines = Lines(shape.splits, shape.records);
    job.Feed(0, lines);
    job.RunBatch();
    std::map<std::string, std::uint64_t> model;
    for (const auto& split : lines) {
      for (const auto& line : split) ForEachWord(line, [&](std::string_view word) { ++model[std::string(word)]; });
    }
    EXPECT_EQ(job.sorted_texts(Last(job)), Sorted(model));
  }
}

TEST(ExchangeOperatorsTest, CountHasAlwaysOneValue) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Count().Print(); });
  job.Feed(0, {Harness::Split(3000, "x"), {"y"}, {}});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), Texts{"3001"});
  job.Feed(0, {{}, {}});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), Texts{"0"});
  job.Feed(0, {});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), Texts{"0"});
}

TEST(ExchangeOperatorsTest, ReduceHasAtMostOneValue) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Reduce([](std::string_view a, std::string_view b) { return std::string(a) + std::string(b); })
        .Print();
  });
  job.Feed(0, {{"a", "b"}, {}, {"c"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), Texts{"abc"});
  job.Feed(0, {{}, {}});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), Texts{});
}

TEST(ExchangeOperatorsTest, RepartitionDealsEvenly) {
  for (const std::int64_t partitions : {1, 3, 8}) {
    Harness job([&](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Repartition(partitions).Print(kAll); });
    job.Feed(0, {Harness::Split(100, "x"), Harness::Split(33, "y"), {}, {"z"}});
    job.RunBatch();
    std::map<std::uint32_t, int> used;
    for (const HarnessRow& row : job.rows(2)) ++used[row.partition];
    EXPECT_EQ(job.rows(2).size(), 134u);
    for (const auto& [partition, count] : used) EXPECT_NEAR(count, 134.0 / static_cast<double>(partitions), 3);
    const Texts sorted = job.sorted_texts(2);
    EXPECT_EQ(std::count(sorted.begin(), sorted.end(), "y"), 33);
  }
}

TEST(ExchangeOperatorsTest, ExchangesFollowEachOther) {
  Harness job([](JobContext& ctx) {
    Words(ctx.TextFiles({.directory = "d"}))
        .CountByValue(3)
        .Map([](const auto& count) { return std::pair(count.second, count.first); })
        .GroupByKey(2)
        .MapValues([](const std::vector<std::string>& words) { return words.size(); })
        .Repartition(2)
        .Count()
        .Print();
  });
  job.Feed(0, {{"a b c", "a b"}, {"a d"}});  // a 3, b 2, c 1, d 1: three different counts
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), Texts{"3"});
}

TEST(ExchangeOperatorsTest, BlocksAreTheSameWheneverTheInputIs) {
  const auto blocks = [](std::size_t chunk) {
    Harness job([](JobContext& ctx) { Words(ctx.TextFiles({.directory = "d"})).CountByValue(3).Print(); });
    job.chunk = chunk;
    job.Feed(0, Lines(2, 2000));
    job.RunBatch();
    std::string all;
    for (std::uint32_t p = 0; p < 3; ++p) {
      for (const HarnessBlock& block : job.blocks(2, p)) all += block.data;
    }
    return all;
  };
  EXPECT_EQ(blocks(engine::kChunkRecords), blocks(17));
}

TEST(ExchangeOperatorsTest, DamagedBlocksAreErrors) {
  Harness job([](JobContext& ctx) { Words(ctx.TextFiles({.directory = "d"})).CountByValue(1).Print(); });
  job.Feed(0, Lines(1, 20));
  job.RunBatch();
  const std::string good = job.blocks(2, 0).at(0).data;
  job.ExpectDamageIsFound(1, good);
}

}  // namespace
}  // namespace millrace
