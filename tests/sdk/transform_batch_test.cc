// Transform and TransformWith in both forms, SortByKey and Top, against models; also for empty batches.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <regex>
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

const std::vector<Splits> kInputs = {{},
                                     {{}, {}},
                                     {{"x"}},
                                     {{"b", "a"}, {"c"}},
                                     {Harness::Split(2500, "same")},
                                     Splits(40, {"one"}),
                                     {{}, {"d", "b", "b"}, {"a", ""}, {}}};

Texts Flat(const Splits& splits) {
  Texts all;
  for (const auto& split : splits) all.insert(all.end(), split.begin(), split.end());
  return all;
}

TEST(TransformBatchTest, WithAStreamItIsComposition) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    const DStream<std::size_t> sizes = lines.Transform([](const DStream<std::string_view>& s) {
      return s.Filter([](std::string_view t) { return !t.empty(); }).Map([](std::string_view t) { return t.size(); });
    });
    sizes.Transform([](auto s) { return s.Count(); }).Print();
  });
  EXPECT_EQ(job.graph().operators.size(), 5u);  // none of them is a Transform
  job.Feed(0, {{"a", "", "bb"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(4), Texts{"2"});
}

TEST(TransformBatchTest, ItGivesWhateverTheFunctionGives) {
  Harness job([](JobContext& ctx) {
    int calls = 0;
    const Output out = ctx.TextFiles({.directory = "d"}).Transform([&calls](const auto& s) {
      ++calls;
      return s.Print();
    });
    out.Name("shown");
    EXPECT_EQ(calls, 1);
  });
  EXPECT_EQ(job.graph().operators[1].name, "shown");
}

TEST(TransformBatchTest, WithABatchItSeesAllOfIt) {
  for (const Splits& input : kInputs) {
    for (const std::size_t chunk : {engine::kChunkRecords, std::size_t{2}}) {
      Harness job([](JobContext& ctx) {
        ctx.TextFiles({.directory = "d"})
            .Transform<std::string>(
                [](const BatchContext& batch, std::span<const std::string_view> records, auto&& emit) {
                  std::string all = std::to_string(batch.batch) + "/" + std::to_string(batch.partition) + ":";
                  for (const std::string_view record : records) all.append(" ").append(record);
                  emit(all);
                })
            .Print(kAll);
      });
      job.chunk = chunk;
      job.Feed(0, input);
      for (int batch = 1; batch < 3; ++batch) {
        job.RunBatch();
        std::string want = std::to_string(batch) + "/0:";
        for (const std::string& record : Flat(input)) want.append(" ").append(record);
        EXPECT_EQ(job.texts(Last(job)), Texts{want});
      }
    }
  }
}

TEST(TransformBatchTest, FormsOfTheFunction) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    lines.Transform([](const BatchContext&, auto records) { return std::vector<std::size_t>{records.size()}; }).Print();
    lines.Transform([](const BatchContext&, auto records, auto&& emit) { emit(records.back()); }).Print();
    lines
        .Transform(
            [](std::span<const std::string_view> records) { return std::vector(records.rbegin(), records.rend()); })
        .Print();
  });
  job.Feed(0, {{"a", "b"}, {"c"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(2), Texts{"3"});
  EXPECT_EQ(job.texts(4), Texts{"c"});
  EXPECT_EQ(job.texts(6), (Texts{"c", "b", "a"}));
}

TEST(TransformBatchTest, WhatTheFunctionThrowsFails) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Transform([](const BatchContext&, auto) -> std::vector<int> { throw std::runtime_error("no"); })
        .Print();
  });
  EXPECT_THROW(job.RunBatch(), std::runtime_error);
}

TEST(TransformBatchTest, TransformWith) {
  for (const Splits& left : kInputs) {
    for (const Splits& right : kInputs) {
      Harness job([](JobContext& ctx) {
        const auto a = ctx.TextFiles({.directory = "a"});
        const auto b = ctx.TextFiles({.directory = "b"}).Map([](std::string_view t) { return t.size(); });
        a.TransformWith<std::string>(b, [](const BatchContext& batch, std::span<const std::string_view> texts,
                                           std::span<const std::size_t> sizes, auto&& emit) {
           std::string all = std::to_string(batch.batch) + ":";
           for (const std::string_view text : texts) all.append(" ").append(text);
           for (const std::size_t size : sizes) all.append(" ").append(std::to_string(size));
           emit(all);
         }).Print(kAll);
      });
      job.Feed(0, left);
      job.Feed(1, right);
      job.RunBatch();
      std::string want = "1:";
      for (const std::string& text : Flat(left)) want.append(" ").append(text);
      for (const std::string& text : Flat(right)) want.append(" ").append(std::to_string(text.size()));
      EXPECT_EQ(job.texts(Last(job)), Texts{want});
    }
  }
}

TEST(TransformBatchTest, TransformWithAStreamIsComposition) {
  Harness job([](JobContext& ctx) {
    const auto a = ctx.TextFiles({.directory = "a"});
    const auto b = ctx.TextFiles({.directory = "b"});
    a.TransformWith(b, [](const auto& x, const auto& y) { return x.Union(y).Count(); }).Print();
  });
  EXPECT_EQ(job.graph().operators.size(), 5u);
  job.Feed(0, {{"a"}});
  job.Feed(1, {{"b", "c"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(4), Texts{"3"});
}

TEST(TransformBatchTest, StreamsOfTwoContexts) {
  JobContext other("other", {});
  const auto foreign = other.TextFiles({.directory = "d"});
  const auto refusal = [&](const auto& f) -> std::string {
    try {
      Harness job([&](JobContext& ctx) { (void)ctx.TextFiles({.directory = "a"}).TransformWith(foreign, f); });
    } catch (const std::invalid_argument& error) {
      return std::regex_replace(error.what(), std::regex("_test.cc:[0-9]+"), "_test.cc:N");
    }
    return "accepted";
  };
  const char* want =
      "TransformWith at transform_batch_test.cc:N: the streams are of two contexts; build both from the same "
      "JobContext";
  EXPECT_EQ(refusal([](const DStream<std::string_view>& a, const auto&) { return a; }), want);
  EXPECT_EQ(refusal([](const BatchContext&, std::span<const std::string_view>, auto) { return std::vector<int>(); }),
            want);
}

TEST(TransformBatchTest, SortByKey) {
  for (const Splits& input : kInputs) {
    Harness job([](JobContext& ctx) {
      const auto pairs = ctx.TextFiles({.directory = "d"}).Map([n = std::make_shared<int>(0)](std::string_view t) {
        return std::pair(t, ++*n);  // numbered as they come
      });
      pairs.SortByKey().Print(kAll);
      pairs.SortByKey(std::greater<>()).Print(kAll);
    });
    job.Feed(0, input);
    job.RunBatch();
    std::vector<std::pair<std::string, int>> model;
    for (const std::string& text : Flat(input)) model.emplace_back(text, static_cast<int>(model.size()) + 1);
    const auto texts = [&] {
      Texts all;
      for (const auto& pair : model) all.push_back(TextOf(pair));
      return all;
    };
    std::stable_sort(model.begin(), model.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    EXPECT_EQ(job.texts(3), texts());
    std::sort(model.begin(), model.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    std::stable_sort(model.begin(), model.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    EXPECT_EQ(job.texts(5), texts());
  }
}

TEST(TransformBatchTest, Top) {
  std::mt19937 random(3);
  for (const std::size_t records : {std::size_t{0}, std::size_t{1}, std::size_t{20}, std::size_t{5000}}) {
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{10}, std::size_t{300}, SIZE_MAX}) {
      // Records "key.number": only the key counts, so the numbers tell which of equal ones were taken.
      Splits input(3);
      for (std::size_t i = 0; i < records; ++i) {
        input[i % 3].push_back(std::to_string(random() % 50 + 10) + "." + std::to_string(i));
      }
      const auto less = [](std::string_view a, std::string_view b) { return a.substr(0, 2) < b.substr(0, 2); };
      Texts first;
      for (const std::size_t chunk : {engine::kChunkRecords, std::size_t{7}}) {
        Harness job([&](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Top(n, less).Print(kAll); });
        job.chunk = chunk;
        job.Feed(0, input);
        job.RunBatch();
        Texts model = Flat(input);
        std::stable_sort(model.begin(), model.end(), [&](const auto& a, const auto& b) { return less(b, a); });
        if (model.size() > n) model.resize(n);
        EXPECT_EQ(job.texts(Last(job)), model) << n << " of " << records;
        for (const HarnessBlock& block : job.blocks(1, 0)) EXPECT_LE(block.records, n);
      }
    }
  }
}

}  // namespace
}  // namespace millrace
