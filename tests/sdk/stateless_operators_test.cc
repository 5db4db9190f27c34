// The stateless operators of Spark's DStream against models, on every shape of input: empty batches, one record, one
// key, many partitions, more partitions than records.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
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

struct Shape {
  const char* name;
  std::size_t splits;
  std::size_t records;
  std::uint32_t keys;
  std::int64_t partitions;
};
const std::vector<Shape> kShapes = {
    {"no splits", 0, 0, 1, 3},
    {"empty", 3, 0, 1, 3},
    {"one record", 1, 1, 1, 1},
    {"one key", 3, 2000, 1, 4},
    {"more splits than records", 30, 7, 5, 2},
    {"many partitions", 2, 50, 20, 64},
    {"many keys", 4, 3000, 700, 5},
};

// Lines "k<key>=<number>".
Splits Lines(const Shape& shape) {
  std::mt19937 random(9);
  Splits lines(shape.splits);
  for (std::size_t i = 0; i < shape.records; ++i) {
    lines[random() % shape.splits].push_back("k" + std::to_string(random() % shape.keys) + "=" +
                                             std::to_string(random() % 10));
  }
  return lines;
}

std::pair<std::string_view, int> Parse(std::string_view line) {
  const std::size_t at = line.find('=');
  return {line.substr(0, at), line[at + 1] - '0'};
}

template <class V>
Texts Sorted(const std::map<std::string, V>& model) {
  Texts texts;
  for (const auto& one : model) texts.push_back(TextOf(one));
  std::sort(texts.begin(), texts.end());
  return texts;
}

// Runs `build` on all shapes, in small and large chunks, and compares the sorted rows of its Print with `model`.
template <class B, class M>
void Check(const B& build, const M& model) {
  for (const Shape& shape : kShapes) {
    const Splits lines = Lines(shape);
    Texts first;
    for (const std::size_t chunk : {engine::kChunkRecords, std::size_t{1}, std::size_t{100}}) {
      Harness job([&](JobContext& ctx) { build(ctx.TextFiles({.directory = "d"}), shape.partitions).Print(kAll); });
      job.chunk = chunk;
      job.Feed(0, lines);
      job.RunBatch();
      EXPECT_EQ(job.sorted_texts(Last(job)), model(lines)) << shape.name << ", chunks of " << chunk;
      if (chunk == engine::kChunkRecords) first = job.texts(Last(job));
      EXPECT_EQ(job.texts(Last(job)), first) << shape.name << ": another order in chunks of " << chunk;
    }
  }
}

// What f(model[key], number) makes of all records.
template <class V, class F>
auto ByKey(const F& f) {
  return [f](const Splits& lines) {
    std::map<std::string, V> model;
    for (const auto& split : lines) {
      for (const auto& line : split) f(model[std::string(Parse(line).first)], Parse(line).second);
    }
    return Sorted(model);
  };
}

using SumAndCount = std::pair<int, int>;

TEST(StatelessOperatorsTest, CombineByKey) {
  for (const bool map_side : {true, false}) {
    Check(
        [map_side](auto lines, auto n) {
          return lines.Map(Parse).CombineByKey(
              [](int v) { return SumAndCount(v, 1); },
              [](SumAndCount acc, int v) { return SumAndCount(acc.first + v, acc.second + 1); },
              [](const SumAndCount& a, const SumAndCount& b) {
                return SumAndCount(a.first + b.first, a.second + b.second);
              },
              n, map_side);
        },
        ByKey<SumAndCount>([](SumAndCount& acc, int v) {
          acc.first += v;
          acc.second += 1;
        }));
  }
}

// Combiners that own their memory are moved, and a text that `create` gives as a view is owned.
TEST(StatelessOperatorsTest, CombineByKeyInOrder) {
  for (const bool map_side : {true, false}) {
    Harness job([&](JobContext& ctx) {
      ctx.TextFiles({.directory = "d"})
          .Map([](std::string_view t) { return std::pair(t.substr(0, 1), t.substr(1)); })
          .CombineByKey([](std::string_view t) { return t; },
                        [](std::string all, std::string_view t) { return all + "," + std::string(t); },
                        [](std::string all, const std::string& more) { return all + ";" + more; }, 1, map_side)
          .Print();
    });
    EXPECT_EQ(job.graph().operators[2].combine, map_side);
    job.Feed(0, {{"a1", "b2", "a3"}, {"a4", "a5"}, {"b6"}});
    job.RunBatch();
    EXPECT_EQ(job.texts(3), map_side ? (Texts{"(a, 1,3;4,5)", "(b, 2;6)"}) : (Texts{"(a, 1,3,4,5)", "(b, 2,6)"}));
  }
}

TEST(StatelessOperatorsTest, AggregateByKey) {
  Check(
      [](auto lines, auto n) {
        return lines.Map(Parse).AggregateByKey(
            std::vector<int>(10),
            [](std::vector<int> counts, int v) {
              ++counts[static_cast<std::size_t>(v)];
              return counts;
            },
            [](std::vector<int> a, const std::vector<int>& b) {
              for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
              return a;
            },
            n);
      },
      ByKey<std::vector<int>>([](std::vector<int>& counts, int v) {
        counts.resize(10);
        ++counts[static_cast<std::size_t>(v)];
      }));
}

TEST(StatelessOperatorsTest, FoldByKey) {
  Check(
      [](auto lines, auto n) {
        return lines.Map(Parse).FoldByKey(
            0, [](int a, int b) { return std::max(a, b); }, n);
      },
      ByKey<int>([](int& acc, int v) { acc = std::max(acc, v); }));
}

TEST(StatelessOperatorsTest, Distinct) {
  Check([](auto lines, auto n) { return lines.Distinct(n); },
        [](const Splits& lines) {
          std::set<std::string> model;
          for (const auto& split : lines) model.insert(split.begin(), split.end());
          return Texts(model.begin(), model.end());
        });
}

TEST(StatelessOperatorsTest, DistinctSendsEachRecordOnce) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Distinct(1).Print(); });
  job.Feed(0, {Harness::Split(500, "x"), {"y", "x", "y"}});
  job.RunBatch();
  EXPECT_EQ(job.blocks(1, 0)[0].records, 1u);
  EXPECT_EQ(job.texts(2), (Texts{"x", "y"}));
}

TEST(StatelessOperatorsTest, Glom) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Glom().Print(); });
  job.Feed(0, {{"a", "b"}, {}, {"c"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), (Texts{"[a, b]", "[]", "[c]"}));
  Harness exchanged([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Repartition(3).Glom().Print(); });
  exchanged.Feed(0, {});
  exchanged.RunBatch();
  EXPECT_EQ(exchanged.texts(3), (Texts{"[]", "[]", "[]"}));
}

TEST(StatelessOperatorsTest, KeysValuesSwap) {
  const auto rows = [](const auto& build) {
    Harness job([&](JobContext& ctx) { build(ctx.TextFiles({.directory = "d"}).Map(Parse)).Print(); });
    job.Feed(0, {{"a=1", "b=2"}, {"a=3"}});
    job.RunBatch();
    return job.texts(3);
  };
  EXPECT_EQ(rows([](auto s) { return s.Keys(); }), (Texts{"a", "b", "a"}));
  EXPECT_EQ(rows([](auto s) { return s.Values(); }), (Texts{"1", "2", "3"}));
  EXPECT_EQ(rows([](auto s) { return s.Swap(); }), (Texts{"(1, a)", "(2, b)", "(3, a)"}));
}

TEST(StatelessOperatorsTest, UnionOfMany) {
  Harness job([](JobContext& ctx) {
    const auto a = ctx.TextFiles({.directory = "a"});
    const auto b = ctx.TextFiles({.directory = "b"});
    const auto c = ctx.TextFiles({.directory = "c"});
    ctx.Union({a, b, c, a}).Print();
    ctx.Union(std::vector{b}).Print();
  });
  EXPECT_EQ(job.graph().operators[3].inputs, (std::vector<std::uint32_t>{0, 1, 2, 0}));
  job.Feed(0, {{"1"}});
  job.Feed(1, {{"2"}, {"3"}});
  job.Feed(2, {});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(4), (Texts{"1", "1", "2", "3"}));
  EXPECT_EQ(job.texts(6), (Texts{"2", "3"}));
  EXPECT_THROW(Harness([](JobContext& ctx) { ctx.Union(std::vector<DStream<int>>()); }), std::invalid_argument);
}

TEST(StatelessOperatorsTest, MapPartitionsWithTheBatch) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    lines
        .MapPartitions<std::string>([](const BatchContext& batch, std::span<const std::string_view> rows, auto&& emit) {
          emit(std::to_string(batch.batch) + "/" + std::to_string(batch.partition) + ": " +
               std::to_string(rows.size()));
        })
        .Print();
    lines
        .MapPartitions([](const BatchContext& batch, auto rows) {
          return std::vector<std::uint64_t>{batch.batch, rows.size()};
        })
        .Print();
  });
  job.batch = 7;
  job.Feed(0, {{"a"}, {}});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), (Texts{"7/0: 1", "7/1: 0"}));
  EXPECT_EQ(job.texts(4), (Texts{"7", "1", "7", "0"}));
}

// What Spark's operators give for a batch without records: Count a 0, Reduce and all that goes by key nothing.
TEST(StatelessOperatorsTest, EmptyBatches) {
  const auto rows = [](const auto& build) {
    Harness job([&](JobContext& ctx) { build(ctx.TextFiles({.directory = "d"})).Print(); });
    std::size_t most = 0;
    for (const Splits& input : {Splits{}, Splits{{}}, Splits{{}, {}, {}}}) {
      job.Feed(0, input);
      job.RunBatch();
      most = std::max(most, job.rows(Last(job)).size());
    }
    return most;
  };
  const auto add = [](int a, int b) { return a + b; };
  EXPECT_EQ(rows([](auto s) { return s.Count(); }), 1u);
  EXPECT_EQ(rows([&](auto s) { return s.Map(Parse).Values().Reduce(add); }), 0u);
  EXPECT_EQ(rows([](auto s) { return s.CountByValue(); }), 0u);
  EXPECT_EQ(rows([](auto s) { return s.Distinct(); }), 0u);
  EXPECT_EQ(rows([](auto s) { return s.Repartition(3); }), 0u);
  EXPECT_EQ(rows([&](auto s) { return s.Map(Parse).ReduceByKey(add); }), 0u);
  EXPECT_EQ(rows([](auto s) { return s.Map(Parse).GroupByKey(); }), 0u);
  EXPECT_EQ(rows([&](auto s) { return s.Map(Parse).FoldByKey(1, add); }), 0u);
  EXPECT_EQ(rows([](auto s) { return s.Map(Parse).Cogroup(s.Map(Parse)); }), 0u);
  EXPECT_EQ(rows([](auto s) { return s.Top(3); }), 0u);
  EXPECT_EQ(rows([](auto s) { return s.Map(Parse).SortByKey(); }), 0u);
}

}  // namespace
}  // namespace millrace
