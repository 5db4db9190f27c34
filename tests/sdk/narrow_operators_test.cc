// Map, FlatMap, Filter, MapPartitions, MapValues, FlatMapValues and Union, each against what it should give, in small
// and large chunks.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;

// Runs `build` on a text source with two splits and gives the rows of the one Print.
template <class F>
Texts RowsOf(const F& build, std::vector<Harness::Split> splits = {{"a bb", "ccc"}, {"", "dd a"}}) {
  Texts first;
  for (const std::size_t chunk : {engine::kChunkRecords, std::size_t{1}}) {
    Harness job([&](JobContext& ctx) { build(ctx.TextFiles({.directory = "d"})).Print(1'000'000); });
    job.chunk = chunk;
    job.Feed(0, splits);
    job.RunBatch();
    const Texts texts = job.texts(static_cast<std::uint32_t>(job.graph().operators.size() - 1));
    if (chunk == 1) {
      EXPECT_EQ(texts, first) << "chunks of one";
    }
    first = texts;
  }
  return first;
}

std::vector<std::string_view> Split(std::string_view line) {
  std::vector<std::string_view> words;
  ForEachWord(line, [&](std::string_view word) { words.push_back(word); });
  return words;
}

struct Named {
  std::string name;
  std::size_t size;
};

TEST(NarrowOperatorsTest, Map) {
  EXPECT_EQ(RowsOf([](auto s) { return s.Map([](std::string_view line) { return line.size(); }); }),
            (Texts{"4", "3", "0", "4"}));
  EXPECT_EQ(RowsOf([](auto s) { return s.Map([](std::string_view line) { return line.substr(0, 1); }); }),
            (Texts{"a", "c", "", "d"}));
  EXPECT_EQ(RowsOf([](auto s) { return s.Map([](std::string_view line) { return line.empty(); }); }),
            (Texts{"false", "false", "true", "false"}));
}

TEST(NarrowOperatorsTest, MapTakesMemberPointers) {
  EXPECT_EQ(
      RowsOf([](auto s) {
        return s.Map([](std::string_view line) { return Named{std::string(line), line.size()}; }).Map(&Named::size);
      }),
      (Texts{"4", "3", "0", "4"}));
}

TEST(NarrowOperatorsTest, FlatMapEmits) {
  const Texts words = {"a", "bb", "ccc", "dd", "a"};
  EXPECT_EQ(
      RowsOf([](auto s) { return s.FlatMap([](std::string_view line, auto&& emit) { ForEachWord(line, emit); }); }),
      words);
  EXPECT_EQ(RowsOf([](auto s) {
              return s.template FlatMap<std::size_t>([](std::string_view line, auto emit) {
                for (const std::string_view word : Split(line)) emit(word.size());
              });
            }),
            (Texts{"1", "2", "3", "2", "1"}));
}

TEST(NarrowOperatorsTest, FlatMapTakesRanges) {
  EXPECT_EQ(RowsOf([](auto s) { return s.FlatMap(Split); }), (Texts{"a", "bb", "ccc", "dd", "a"}));
  EXPECT_EQ(RowsOf([](auto s) {
              return s.FlatMap([](std::string_view line) { return std::vector<std::string>(2, std::string(line)); });
            }),
            (Texts{"a bb", "a bb", "ccc", "ccc", "", "", "dd a", "dd a"}));
  EXPECT_EQ(RowsOf([](auto s) {
              return s.FlatMap([](std::string_view line) { return std::vector<bool>(1, line.empty()); });
            }),
            (Texts{"false", "false", "true", "false"}));
}

TEST(NarrowOperatorsTest, FlatMapGivesMoreThanAChunk) {
  const Texts out = RowsOf(
      [](auto s) {
        return s.template FlatMap<int>([](std::string_view, auto&& emit) {
          for (int i = 0; i < 5000; ++i) emit(i);
        });
      },
      {{"x", "y"}});
  ASSERT_EQ(out.size(), 10'000u);
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], std::to_string(i % 5000));
}

TEST(NarrowOperatorsTest, FilterOfSmallAndOfLargeRecords) {
  std::vector<Harness::Split> splits(2);
  Texts want;
  for (int split = 0; split < 2; ++split) {
    for (int i = 0; i < 3000; ++i) {
      splits[static_cast<std::size_t>(split)].push_back(std::to_string(i));
      if (i % 7 < 3) want.push_back(std::to_string(i));
    }
  }
  const auto keep = [](const auto& text) { return std::stoi(std::string(text)) % 7 < 3; };
  EXPECT_EQ(RowsOf([&](auto s) { return s.Filter(keep); }, splits), want);
  EXPECT_EQ(
      RowsOf([&](auto s) { return s.Map([](std::string_view t) { return std::string(t); }).Filter(keep); }, splits),
      want);
  EXPECT_EQ(RowsOf([&](auto s) { return s.Filter([](auto) { return false; }); }, splits), Texts{});
  EXPECT_EQ(RowsOf([&](auto s) { return s.Filter([](auto) { return true; }); }, splits).size(), 6000u);
}

TEST(NarrowOperatorsTest, MapPartitionsSeesWholePartitions) {
  EXPECT_EQ(RowsOf([](auto s) {
              return s.template MapPartitions<std::string>([](std::span<const std::string_view> rows, auto&& emit) {
                std::string all;
                for (const std::string_view row : rows) all += "<" + std::string(row) + ">";
                emit(std::move(all));
              });
            }),
            (Texts{"<a bb><ccc>", "<><dd a>"}));
  // A range in place of an emitter, and records that are their own owners.
  EXPECT_EQ(
      RowsOf([](auto s) {
        return s.Map([](std::string_view line) { return static_cast<int>(line.size()); })
            .MapPartitions([](std::span<const int> rows) { return std::vector<int>(rows.rbegin(), rows.rend()); });
      }),
      (Texts{"3", "4", "4", "0"}));
}

TEST(NarrowOperatorsTest, MapPartitionsRunsOnEmptyPartitions) {
  EXPECT_EQ(RowsOf(
                [](auto s) {
                  return s.template MapPartitions<std::size_t>(
                      [](std::span<const std::string_view> rows, auto&& emit) { emit(rows.size()); });
                },
                {{}, {"x"}, {}}),
            (Texts{"0", "1", "0"}));
}

TEST(NarrowOperatorsTest, MapPartitionsOwnsWhatItKeeps) {
  // The views it gets are not into the strings of the Map before it, which are gone by then.
  EXPECT_EQ(RowsOf([](auto s) {
              return s
                  .Map([](std::string_view line) { return std::string(line) + " and a long tail of many characters"; })
                  .Map([](const std::string& text) { return std::string_view(text); })
                  .MapPartitions([](std::span<const std::string_view> rows, auto&& emit) {
                    for (const std::string_view row : rows) emit(row.substr(0, 8));
                  });
            }),
            (Texts{"a bb and", "ccc and ", " and a l", "dd a and"}));
}

auto Pairs(const DStream<std::string_view>& s) {
  return s.Map([](std::string_view line) { return std::pair(line, line.size()); });
}

TEST(NarrowOperatorsTest, MapValues) {
  EXPECT_EQ(RowsOf([](auto s) { return Pairs(s).MapValues([](std::size_t n) { return n * 2; }); }),
            (Texts{"(a bb, 8)", "(ccc, 6)", "(, 0)", "(dd a, 8)"}));
}

TEST(NarrowOperatorsTest, FlatMapValues) {
  EXPECT_EQ(RowsOf([](auto s) {
              return Pairs(s).FlatMapValues([](std::size_t n) { return std::vector<std::string>(n / 2, "v"); });
            }),
            (Texts{"(a bb, v)", "(a bb, v)", "(ccc, v)", "(dd a, v)", "(dd a, v)"}));
  EXPECT_EQ(RowsOf([](auto s) {
              return Pairs(s).template FlatMapValues<std::string>([](std::size_t n, auto&& emit) {
                if (n == 3) emit("three");
              });
            }),
            (Texts{"(ccc, three)"}));
  EXPECT_EQ(RowsOf([](auto s) {
              return Pairs(s).FlatMapValues([](std::size_t n, auto&& emit) {
                if (n == 0) emit(n), emit(n + 1);
              });
            }),
            (Texts{"(, 0)", "(, 1)"}));
}

TEST(NarrowOperatorsTest, UnionOfBranches) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    lines.Map([](std::string_view t) { return "1" + std::string(t); })
        .Union(lines.Map([](std::string_view t) { return "2" + std::string(t); }))
        .Print();
  });
  job.Feed(0, {{"a", "b"}, {"c"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(4), (Texts{"1a", "1b", "1c", "2a", "2b", "2c"}));
}

TEST(NarrowOperatorsTest, UnionOfAStreamWithItself) {
  EXPECT_EQ(RowsOf([](auto s) { return s.Union(s); }, {{"a"}, {"c"}}), (Texts{"a", "a", "c", "c"}));
}

TEST(NarrowOperatorsTest, AStreamWithTwoConsumersIsComputedOnce) {
  const auto calls = std::make_shared<int>(0);
  Harness job([&](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"}).Map([calls](std::string_view line) { return ++*calls, line; });
    lines.Print();
    lines.Map([](std::string_view line) { return line.size(); }).Print();
  });
  job.Feed(0, {{"a", "bb"}, {"ccc"}});
  job.RunBatch();
  EXPECT_EQ(*calls, 3);
  EXPECT_EQ(job.texts(2), (Texts{"a", "bb", "ccc"}));
  EXPECT_EQ(job.texts(4), (Texts{"1", "2", "3"}));
}

TEST(NarrowOperatorsTest, MoveOnlyFunctionsAreWelcome) {
  EXPECT_EQ(
      RowsOf([](auto s) {
        return s.Map([factor = std::make_unique<std::size_t>(3)](std::string_view t) { return t.size() * *factor; });
      }),
      (Texts{"12", "9", "0", "12"}));
}

}  // namespace
}  // namespace millrace
