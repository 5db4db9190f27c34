#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "millrace/millrace.h"
#include "tests/sdk/harness.h"
#include "tests/sdk/map_store.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using Rows = std::vector<std::string>;
using Batch = std::vector<std::vector<std::string>>;  // splits of lines "key value"

constexpr auto kBatch = 100ms;  // the harness's batch interval

std::pair<std::string, double> Parse(std::string_view line) {
  const std::size_t blank = line.find(' ');
  return {std::string(line.substr(0, blank)), std::stod(std::string(line.substr(blank + 1)))};
}

// Batches of several kinds: empty ones, one record, one key, many partitions, more partitions than records.
std::vector<Batch> MakeBatches(int count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) {
    Batch batch(1 + random() % 5);
    const std::uint32_t kind = random() % 5;
    for (auto& split : batch) {
      const std::uint32_t records = kind == 0 ? 0 : kind == 1 ? random() % 2 : random() % 12;
      for (std::uint32_t r = 0; r < records; ++r) {
        const std::uint32_t key = kind == 2 ? 7 : random() % 20;
        split.push_back("k" + std::to_string(key) + " " + std::to_string(random() % 1000) + ".1");
      }
    }
    batches.push_back(std::move(batch));
  }
  return batches;
}

// The records that a window of `window` batches has after batch number `now` (from 1), oldest first.
std::vector<std::string> InWindow(const std::vector<Batch>& batches, int now, int window, int lag = 0) {
  std::vector<std::string> lines;
  for (int b = std::max(1, now - window + 1); b <= now - lag; ++b) {
    for (const auto& split : batches[b - 1]) lines.insert(lines.end(), split.begin(), split.end());
  }
  return lines;
}

Rows Sorted(Rows rows) {
  std::ranges::sort(rows);
  return rows;
}

struct Shape {
  int window;
  int slide;
};
std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  return out << "window " << shape.window << " slide " << shape.slide;
}

class WindowTest : public testing::TestWithParam<std::tuple<Shape, bool>> {
 protected:
  Shape shape() const { return std::get<0>(GetParam()); }
  bool stored() const { return std::get<1>(GetParam()); }

  // Runs 60 batches, restoring the state now and then, and compares each with what the model says of it.
  void Check(const std::function<void(DStream<std::string_view>, Shape)>& body,
             const std::function<Rows(const std::vector<Batch>&, int)>& model, std::uint32_t sink) {
    Harness job([&](JobContext& ctx) {
      ctx.DefaultPartitions(3);
      body(ctx.TextFiles({.directory = "d"}), shape());
    });
    job.stored = stored();
    const std::vector<Batch> batches = MakeBatches(60, 5);
    for (int now = 1; now <= 60; ++now) {
      job.Feed(0, batches[now - 1]);
      job.RunBatch();
      const Rows expected = now % shape().slide == 0 ? model(batches, now) : Rows{};
      ASSERT_EQ(job.sorted_texts(sink), Sorted(expected)) << shape() << ", batch " << now;
      if (now % 7 == 3) job.Restore();
    }
  }
};

TEST_P(WindowTest, Window) {
  Check([](auto lines, Shape s) { lines.Window(s.window * kBatch, s.slide * kBatch).Print(10'000); },
        [this](const auto& batches, int now) { return InWindow(batches, now, shape().window); }, 2);
}

TEST_P(WindowTest, ReduceByKeyAndWindow) {
  Check(
      [](auto lines, Shape s) {
        lines.Map(Parse)
            .ReduceByKeyAndWindow(std::plus<>(), s.window * kBatch, s.slide * kBatch)
            .Map([](const auto& sum) { return sum.first + " " + std::to_string(sum.second); })
            .Print(10'000);
      },
      [this](const auto& batches, int now) {
        std::map<std::string, double> sums;
        for (const auto& line : InWindow(batches, now, shape().window)) sums[Parse(line).first] += Parse(line).second;
        Rows rows;
        for (const auto& [key, sum] : sums) rows.push_back(key + " " + std::to_string(sum));
        return rows;
      },
      4);
}

// Not commutative: the text of each key, oldest first. One map partition, so that the order within a batch is known.
TEST_P(WindowTest, ReducesFromTheOldestToTheNewest) {
  Harness job([&](JobContext& ctx) {
    ctx.DefaultPartitions(2);
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view line) { return std::pair(std::string(line.substr(0, 1)), std::string(line)); })
        .ReduceByKeyAndWindow([](const std::string& a, const std::string& b) { return a + "," + b; },
                              shape().window * kBatch, shape().slide * kBatch)
        .Print(1000);
  });
  job.stored = stored();
  std::vector<Batch> batches;
  for (int now = 1; now <= 60; ++now) {
    Batch batch(1);
    for (int r = 0; r < now % 4; ++r) batch[0].push_back(std::string(1, "abc"[(now + r) % 3]) + std::to_string(now));
    batches.push_back(batch);
    job.Feed(0, batch);
    job.RunBatch();
    if (now % 5 == 2) job.Restore();
    if (now % shape().slide != 0) continue;
    std::map<std::string, std::string> texts;
    for (const auto& line : InWindow(batches, now, shape().window)) {
      std::string& text = texts[line.substr(0, 1)];
      text += (text.empty() ? "" : ",") + line;
    }
    Rows expected;
    for (const auto& [key, text] : texts) expected.push_back("(" + key + ", " + text + ")");
    ASSERT_EQ(job.sorted_texts(3), Sorted(expected)) << now;
  }
}

TEST_P(WindowTest, CountByWindow) {
  Check([](auto lines, Shape s) { lines.CountByWindow(s.window * kBatch, s.slide * kBatch).Print(); },
        [this](const auto& batches, int now) {
          return Rows{std::to_string(InWindow(batches, now, shape().window).size())};
        },
        2);
}

TEST_P(WindowTest, CountByValueAndWindow) {
  Check(
      [](auto lines, Shape s) {
        lines.Map([](std::string_view line) { return Parse(line).first; })
            .CountByValueAndWindow(s.window * kBatch, s.slide * kBatch)
            .Print(10'000);
      },
      [this](const auto& batches, int now) {
        std::map<std::string, int> counts;
        for (const auto& line : InWindow(batches, now, shape().window)) ++counts[Parse(line).first];
        Rows rows;
        for (const auto& [key, count] : counts) rows.push_back("(" + key + ", " + std::to_string(count) + ")");
        return rows;
      },
      3);
}

TEST_P(WindowTest, ReduceByWindow) {
  Check(
      [](auto lines, Shape s) {
        lines.Map([](std::string_view line) { return static_cast<int>(Parse(line).second); })
            .ReduceByWindow([](int a, int b) { return std::max(a, b); }, s.window * kBatch, s.slide * kBatch)
            .Print();
      },
      [this](const auto& batches, int now) {
        int most = -1;
        for (const auto& line : InWindow(batches, now, shape().window))
          most = std::max(most, static_cast<int>(Parse(line).second));
        return most < 0 ? Rows{} : Rows{std::to_string(most)};
      },
      5);
}

TEST_P(WindowTest, GroupByKeyAndWindow) {
  Check(
      [](auto lines, Shape s) {
        lines.Map([](std::string_view line) { return std::pair(Parse(line).first, 1); })
            .GroupByKeyAndWindow(s.window * kBatch, s.slide * kBatch)
            .Map([](const auto& group) { return group.first + " " + std::to_string(group.second.size()); })
            .Print(10'000);
      },
      [this](const auto& batches, int now) {
        std::map<std::string, int> counts;
        for (const auto& line : InWindow(batches, now, shape().window)) ++counts[Parse(line).first];
        Rows rows;
        for (const auto& [key, count] : counts) rows.push_back(key + " " + std::to_string(count));
        return rows;
      },
      5);
}

// The whole output, in its order and to the last bit, is the same whether state was restored or not.
TEST_P(WindowTest, ARestoreChangesNothingNotEvenTheOrder) {
  const auto run = [&](int restore_every) {
    Harness job([&](JobContext& ctx) {
      ctx.TextFiles({.directory = "d"})
          .Map(Parse)
          .ReduceByKeyAndWindow(std::plus<>(), shape().window * kBatch, shape().slide * kBatch)
          .Map([](const auto& sum) { return sum.first + " " + ToBytes(sum.second); })
          .Print(10'000);
    });
    job.stored = stored();
    Rows all;
    const std::vector<Batch> batches = MakeBatches(60, 9);
    for (int now = 1; now <= 60; ++now) {
      job.Feed(0, batches[now - 1]);
      job.RunBatch();
      const Rows rows = job.texts(4);
      all.insert(all.end(), rows.begin(), rows.end());
      if (restore_every > 0 && now % restore_every == 0) job.Restore();
    }
    return all;
  };
  const Rows once = run(0);
  EXPECT_EQ(run(1), once);
  EXPECT_EQ(run(11), once);
}

INSTANTIATE_TEST_SUITE_P(Shapes, WindowTest,
                         testing::Combine(testing::Values(Shape{1, 1}, Shape{3, 1}, Shape{10, 1}, Shape{4, 4},
                                                          Shape{6, 2}, Shape{6, 4}, Shape{2, 5}, Shape{7, 3},
                                                          Shape{40, 2}),
                                          testing::Bool()));

TEST(Slices, TakeBothEnds) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Slice(300ms, 100ms).Print(100); });
  const std::vector<Batch> batches = MakeBatches(30, 3);
  for (int now = 1; now <= 30; ++now) {
    job.Feed(0, batches[now - 1]);
    job.RunBatch();
    EXPECT_EQ(job.sorted_texts(2), Sorted(InWindow(batches, now, 4, 1))) << now;
  }
}

TEST(Windows, OfWindowsHaveTheSlideOfTheirInput) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"}).CountByWindow(200ms, 200ms).Window(400ms).Reduce(std::plus<>()).Print();
  });
  for (int now = 1; now <= 8; ++now) {
    job.Feed(0, {{"a", "b", "c"}});
    job.RunBatch();
    const Rows expected = now % 2 == 1 ? Rows{} : Rows{now == 2 ? "6" : "12"};
    EXPECT_EQ(job.texts(4), expected) << now;
  }
}

TEST(Windows, CountsBehindAWindowAppearWhenItDoes) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Window(300ms, 300ms).Count().Print(); });
  for (int now = 1; now <= 6; ++now) {
    job.Feed(0, {{}});
    job.RunBatch();
    EXPECT_EQ(job.texts(3), now % 3 == 0 ? Rows{"0"} : Rows{}) << now;
  }
}

TEST(Windows, ForgetKeysThatHaveLeft) {
  Harness job([](JobContext& ctx) {
    ctx.DefaultPartitions(1);
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view line) { return std::pair(std::string(line), 1); })
        .ReduceByKeyAndWindow(std::plus<>(), 300ms)
        .Print();
  });
  for (int now = 1; now <= 400; ++now) {
    job.Feed(0, {{"key" + std::to_string(now)}});
    job.RunBatch();
    EXPECT_EQ(job.texts(3).size(), static_cast<std::size_t>(std::min(now, 3)));
  }
  EXPECT_LT(job.StateEntries().size(), 10u);
}

std::string Refusal(const std::function<void(DStream<std::string_view>)>& body) {
  try {
    Harness job([&](JobContext& ctx) { body(ctx.TextFiles({.directory = "d"})); });
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return {};
}

TEST(Windows, OfTheWrongLengthAreRefused) {
  using testing::HasSubstr;
  EXPECT_THAT(Refusal([](auto lines) { lines.Window(250ms).Print(); }),
              testing::AllOf(HasSubstr("Window at "), HasSubstr("its window of 250 ms is not a multiple of 100 ms")));
  EXPECT_THAT(Refusal([](auto lines) { lines.CountByWindow(200ms, 50ms).Print(); }),
              HasSubstr("its slide of 50 ms is not a multiple of 100 ms"));
  EXPECT_THAT(Refusal([](auto lines) { lines.Window(0ms).Print(); }), HasSubstr("its window of 0 us is not possible"));
  EXPECT_THAT(Refusal([](auto lines) { lines.Window(200ms, 200ms).Window(300ms).Print(); }),
              HasSubstr("not a multiple of 200 ms"));
  EXPECT_THAT(Refusal([](auto lines) { lines.Slice(100ms, 200ms).Print(); }), HasSubstr("the earlier one first"));
  EXPECT_THAT(Refusal([](auto lines) { lines.Window(200ms, 200ms).Union(lines).Print(); }),
              HasSubstr("give results every"));
}

}  // namespace
}  // namespace millrace
