// Join, its outer forms and Cogroup, against a model that is a map of two lists: every shape of input, in small and
// large chunks; and the order of what comes out.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;
using Splits = std::vector<Harness::Split>;

constexpr std::uint64_t kAll = 1'000'000;

std::uint32_t Last(const Harness& job) { return static_cast<std::uint32_t>(job.graph().operators.size() - 1); }

// "k=v" as (k, v), views of the line.
std::pair<std::string_view, std::string_view> KeyAndValue(std::string_view line) {
  const std::size_t at = line.find('=');
  return {line.substr(0, at), line.substr(at + 1)};
}

struct Shape {
  const char* name;
  std::size_t left_splits, left_records;
  std::size_t right_splits, right_records;
  std::uint32_t keys;
  std::int64_t partitions;
};
const std::vector<Shape> kShapes = {
    {"both empty", 2, 0, 2, 0, 3, 4},          {"no splits at all", 0, 0, 0, 0, 3, 4},
    {"left empty", 2, 0, 3, 20, 5, 3},         {"right empty", 3, 20, 1, 0, 5, 3},
    {"one record each", 1, 1, 1, 1, 1, 1},     {"one key, many times", 3, 60, 2, 50, 1, 4},
    {"many partitions", 2, 30, 2, 30, 10, 64}, {"few matches", 3, 100, 3, 100, 5'000, 3},
    {"many matches", 4, 1'500, 2, 400, 40, 5},
};

// Lines "k<key>=<side><number>".
Splits Lines(std::size_t splits, std::size_t records, std::uint32_t keys, char side, std::uint32_t seed) {
  std::mt19937 random(seed);
  Splits lines(splits);
  for (std::size_t i = 0; i < records; ++i) {
    lines[random() % splits].push_back("k" + std::to_string(random() % keys) + "=" + side + std::to_string(i));
  }
  return lines;
}

struct Lists {
  Texts left;
  Texts right;
};
using Model = std::map<std::string, Lists>;

Model ModelOf(const Splits& left, const Splits& right) {
  Model model;
  for (const auto& split : left) {
    for (const auto& line : split)
      model[std::string(KeyAndValue(line).first)].left.emplace_back(KeyAndValue(line).second);
  }
  for (const auto& split : right) {
    for (const auto& line : split)
      model[std::string(KeyAndValue(line).first)].right.emplace_back(KeyAndValue(line).second);
  }
  return model;
}

std::string Joined(const std::string& key, const std::string& left, const std::string& right) {
  return "(" + key + ", (" + left + ", " + right + "))";
}

// The texts of a join that keeps what one side lacks or not.
Texts JoinOf(const Model& model, bool keep_left, bool keep_right) {
  Texts out;
  for (const auto& [key, lists] : model) {
    for (const auto& left : lists.left) {
      for (const auto& right : lists.right) out.push_back(Joined(key, left, right));
      if (keep_left && lists.right.empty()) out.push_back(Joined(key, left, "none"));
    }
    for (const auto& right : lists.right) {
      if (keep_right && lists.left.empty()) out.push_back(Joined(key, "none", right));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}
Texts CogroupOf(const Model& model) {
  Texts out;
  for (const auto& [key, lists] : model) out.push_back(Joined(key, TextOf(lists.left), TextOf(lists.right)));
  std::sort(out.begin(), out.end());
  return out;
}

// Runs the operator that `join` adds to (left, right, partitions) on all shapes and compares it with the model.
template <class J, class M>
void Check(const J& join, const M& model) {
  for (const Shape& shape : kShapes) {
    const Splits left = Lines(shape.left_splits, shape.left_records, shape.keys, 'l', 1);
    const Splits right = Lines(shape.right_splits, shape.right_records, shape.keys, 'r', 2);
    Texts first;
    for (const std::size_t chunk : {engine::kChunkRecords, std::size_t{1}, std::size_t{7}}) {
      Harness job([&](JobContext& ctx) {
        const auto a = ctx.TextFiles({.directory = "a"}).Map(KeyAndValue);
        const auto b = ctx.TextFiles({.directory = "b"}).Map(KeyAndValue);
        join(a, b, shape.partitions).Print(kAll);
      });
      job.chunk = chunk;
      job.Feed(0, left);
      job.Feed(2, right);
      job.RunBatch();
      EXPECT_EQ(job.sorted_texts(Last(job)), model(ModelOf(left, right))) << shape.name;
      if (chunk == engine::kChunkRecords) first = job.texts(Last(job));
      EXPECT_EQ(job.texts(Last(job)), first) << shape.name << ": another order in chunks of " << chunk;
    }
  }
}

TEST(JoinBatchTest, Join) {
  Check([](auto a, auto b, auto n) { return a.Join(b, n); }, [](const Model& m) { return JoinOf(m, false, false); });
}
TEST(JoinBatchTest, LeftOuterJoin) {
  Check([](auto a, auto b, auto n) { return a.LeftOuterJoin(b, n); },
        [](const Model& m) { return JoinOf(m, true, false); });
}
TEST(JoinBatchTest, RightOuterJoin) {
  Check([](auto a, auto b, auto n) { return a.RightOuterJoin(b, n); },
        [](const Model& m) { return JoinOf(m, false, true); });
}
TEST(JoinBatchTest, FullOuterJoin) {
  Check([](auto a, auto b, auto n) { return a.FullOuterJoin(b, n); },
        [](const Model& m) { return JoinOf(m, true, true); });
}
TEST(JoinBatchTest, Cogroup) {
  Check([](auto a, auto b, auto n) { return a.Cogroup(b, n); }, [](const Model& m) { return CogroupOf(m); });
}

// The same in one stage: both sides are branches of one source, so one task writes both.
TEST(JoinBatchTest, BranchesOfOneStream) {
  for (const Shape& shape : kShapes) {
    const Splits lines = Lines(shape.left_splits, shape.left_records, shape.keys, 'l', 3);
    std::vector<std::string> blocks;
    for (const std::size_t chunk : {engine::kChunkRecords, std::size_t{5}}) {
      Harness job([&](JobContext& ctx) {
        const auto pairs = ctx.TextFiles({.directory = "d"}).Map(KeyAndValue);
        const auto odd = pairs.Filter([](const auto& pair) { return pair.second.back() % 2 == 1; });
        pairs.LeftOuterJoin(odd, shape.partitions).Print(kAll);
      });
      job.chunk = chunk;
      job.Feed(0, lines);
      job.RunBatch();
      Splits odd(lines.size());
      for (std::size_t s = 0; s < lines.size(); ++s) {
        for (const auto& line : lines[s]) {
          if (line.back() % 2 == 1) odd[s].push_back(line);
        }
      }
      EXPECT_EQ(job.sorted_texts(Last(job)), JoinOf(ModelOf(lines, odd), true, false)) << shape.name;
      std::string all;
      for (std::uint32_t p = 0; p < shape.partitions; ++p) {
        for (const HarnessBlock& block : job.blocks(Last(job) - 1, p)) all += block.data;
      }
      blocks.push_back(all);
    }
    EXPECT_EQ(blocks[0], blocks[1]) << shape.name << ": what a task sends depends on its chunks";
  }
}

TEST(JoinBatchTest, AStreamWithItself) {
  Harness job([](JobContext& ctx) {
    const auto pairs = ctx.TextFiles({.directory = "d"}).Map(KeyAndValue);
    pairs.Join(pairs, 2).Print();
  });
  job.Feed(0, {{"a=1", "a=2"}, {"b=3"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(Last(job)),
            (Texts{"(a, (1, 1))", "(a, (1, 2))", "(a, (2, 1))", "(a, (2, 2))", "(b, (3, 3))"}));
}

// Keys in the order in which they came, map partition by map partition; values in theirs.
TEST(JoinBatchTest, Order) {
  Harness job([](JobContext& ctx) {
    const auto a = ctx.TextFiles({.directory = "a"}).Map(KeyAndValue);
    const auto b = ctx.TextFiles({.directory = "b"}).Map(KeyAndValue);
    a.Cogroup(b, 1).Print();
    a.Join(b, 1).Print();
  });
  job.Feed(0, {{"z=1", "a=2"}, {"z=3"}});
  job.Feed(2, {{"q=4", "a=5"}, {"z=6", "z=7"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(7), (Texts{"(z, ([1, 3], [6, 7]))", "(a, ([2], [5]))", "(q, ([], [4]))"}));
  EXPECT_EQ(job.texts(Last(job)), (Texts{"(z, (1, 6))", "(z, (1, 7))", "(z, (3, 6))", "(z, (3, 7))", "(a, (2, 5))"}));
}

TEST(JoinBatchTest, BatchesDoNotMeet) {
  Harness job([](JobContext& ctx) {
    const auto a = ctx.TextFiles({.directory = "a"}).Map(KeyAndValue);
    const auto b = ctx.TextFiles({.directory = "b"}).Map(KeyAndValue);
    a.Join(b).Print();
  });
  job.Feed(0, {{"a=1"}});
  job.Feed(2, {});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), Texts{});
  job.Feed(0, {});
  job.Feed(2, {{"a=2"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), Texts{});
}

struct Point {
  int x = 0;
  std::string name;
};

// Keys and values of many types; the keys of one side own their text, those of the other are views.
TEST(JoinBatchTest, Types) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    const auto left = lines.Map([](std::string_view t) {
      return std::pair(std::pair(std::string(t), t.size()), Point{1, std::string(t)});
    });
    const auto right = lines.Map([](std::string_view t) {
      return std::pair(std::pair(t, t.size()), std::vector<std::string_view>{t, "x"});
    });
    left.FullOuterJoin(right, 2).Print();
  });
  job.Feed(0, {{"ab"}, {"c"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(Last(job)), (Texts{"((ab, 2), ({1, ab}, [ab, x]))", "((c, 1), ({1, c}, [c, x]))"}));
}

TEST(JoinBatchTest, DamagedBlocksAreErrors) {
  Harness job([](JobContext& ctx) {
    const auto pairs = ctx.TextFiles({.directory = "d"}).Map(KeyAndValue);
    pairs.Join(pairs, 1).Print();
  });
  job.Feed(0, {{"a=1", "b=22"}});
  job.RunBatch();
  const std::string good = job.blocks(4, 0).at(0).data;
  EXPECT_EQ(job.blocks(4, 0).at(0).records, 4u);
  job.ExpectDamageIsFound(1, good);
}

}  // namespace
}  // namespace millrace
