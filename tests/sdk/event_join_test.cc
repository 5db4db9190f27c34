// The interval join against a model that keeps every record: both backends, streams of one source and of two, edges,
// late records, and the state saved and restored on the way.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/event_model.h"

namespace millrace {
namespace {

using Us = std::chrono::microseconds;
using Texts = std::vector<std::string>;

struct Case {
  const char* name;
  std::int64_t lower;
  std::int64_t upper;
  std::int64_t out_of_orderness;
  std::int64_t partitions;
  std::size_t splits;
  int keys;
  std::size_t most;
  bool stored;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

class JoinModel {
 public:
  explicit JoinModel(const Case& c) : case_(c) {}
  std::uint64_t late = 0;

  Texts Batch(const EventSplits& left, const EventSplits& right, std::int64_t before) {
    const std::size_t old_left = left_.size();
    const std::size_t old_right = right_.size();
    Take(left, before, left_);
    Take(right, before, right_);
    Texts pairs;
    for (std::size_t i = 0; i < left_.size(); ++i) {
      for (std::size_t j = 0; j < right_.size(); ++j) {
        if (i < old_left && j < old_right) continue;  // given before
        const EventLine& a = left_[i];
        const EventLine& b = right_[j];
        if (a.key != b.key || b.time < a.time + case_.lower || b.time > a.time + case_.upper) continue;
        pairs.push_back(TextOf(Timed<std::pair<std::string, std::pair<std::string, std::string>>>{
            {a.key, {a.value, b.value}}, std::max(a.time, b.time)}));
      }
    }
    std::sort(pairs.begin(), pairs.end());
    return pairs;
  }

 private:
  void Take(const EventSplits& splits, std::int64_t before, std::vector<EventLine>& kept) {
    for (const auto& split : splits) {
      for (const std::string& line : split) {
        const EventLine record = EventLine::Parse(line);
        if (record.time < before) {
          ++late;
        } else {
          kept.push_back(record);
        }
      }
    }
  }

  const Case case_;
  std::vector<EventLine> left_;
  std::vector<EventLine> right_;
};

class EventJoinTest : public testing::TestWithParam<Case> {};

TEST_P(EventJoinTest, AgreesWithTheModel) {
  const Case& c = GetParam();
  Harness job([&](JobContext& ctx) {
    const EventTimeOptions options{.max_out_of_orderness = Us(c.out_of_orderness)};
    const auto left = ctx.TextFiles({.directory = "a"}).WithTimestamps(&EventLine::TimeOf, options);
    const auto right = ctx.TextFiles({.directory = "b"}).WithTimestamps(&EventLine::TimeOf, options);
    left.Map(&EventLine::PairOf)
        .IntervalJoin(right.Map(&EventLine::PairOf), Us(c.lower), Us(c.upper), c.partitions)
        .AsDStream()
        .Print(kEventAll);
  });
  job.stored = c.stored;
  const std::vector<std::uint32_t> sources = SourcesOf(job);
  std::mt19937_64 random(41);
  WatermarkModel left_watermark(c.out_of_orderness, 0);
  WatermarkModel right_watermark(c.out_of_orderness, 0);
  JoinModel model(c);
  std::int64_t now = -70;
  std::size_t pairs = 0;
  for (int batch = 0; batch < 50; ++batch) {
    const EventSplits left = RandomEvents(random, c.splits, random() % (c.most + 1), now, c.keys);
    const EventSplits right =
        RandomEvents(random, c.splits + 1, batch % 9 == 2 ? 0 : random() % (c.most + 1), now, c.keys);
    const Texts expected = model.Batch(left, right, std::min(left_watermark.watermark, right_watermark.watermark));
    left_watermark.Batch(left, job.time_us);
    right_watermark.Batch(right, job.time_us);
    job.Feed(sources[0], left);
    job.Feed(sources[1], right);
    job.RunBatch();
    ASSERT_EQ(job.sorted_texts(SinksOf(job)[0]), expected) << "batch " << batch;
    pairs += expected.size();
    if (batch % 3 == 1) job.Restore();
    job.time_us += 100'000;
    now += static_cast<std::int64_t>(random() % 9);
  }
  EXPECT_GT(pairs, 10u);
  std::uint64_t counted = 0;
  for (const auto& op : job.graph().operators) counted += job.count(op.id, "late_records");
  EXPECT_EQ(counted, model.late);

  // All is forgotten once nothing can match it.
  job.Feed(sources[0], {{"5000:x:y"}, {"5000:x:y"}, {"5000:x:y"}});
  job.Feed(sources[1], {{"5000:z:y"}, {"5000:z:y"}, {"5000:z:y"}, {"5000:z:y"}});
  job.RunBatch();
  for (const auto& [key, value] : job.StateEntries()) {
    EXPECT_TRUE(key.find("clocks") != std::string::npos || key.find("x") != std::string::npos ||
                key.find("z") != std::string::npos)
        << key;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, EventJoinTest,
    testing::Values(Case{"around", -5, 5, 6, 4, 3, 4, 20, false}, Case{"around_stored", -5, 5, 6, 4, 3, 4, 20, true},
                    Case{"after", 3, 11, 2, 2, 2, 3, 20, false}, Case{"after_stored", 3, 11, 2, 2, 2, 3, 20, true},
                    Case{"before", -9, -4, 0, 2, 2, 3, 20, false}, Case{"before_stored", -9, -4, 0, 2, 2, 3, 20, true},
                    Case{"equal", 0, 0, 8, 3, 1, 2, 30, false}, Case{"equal_stored", 0, 0, 8, 3, 1, 2, 30, true},
                    Case{"one_key", -40, 30, 10, 1, 1, 1, 6, true},
                    Case{"few_records", -20, 20, 3, 16, 3, 2, 2, false}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(EventJoinTest, BothEdgesBelongToTheInterval) {
  Harness job([](JobContext& ctx) {
    const auto pairs = ctx.TextFiles({.directory = "d"}).WithTimestamps(&EventLine::TimeOf).Map(&EventLine::PairOf);
    const auto of = [&](char side) {
      return pairs.Filter([side](const auto& pair) { return pair.second[0] == side; });
    };
    of('l').IntervalJoin(of('r'), Us(-2), Us(3)).AsDStream().Print(kEventAll);
  });
  job.Feed(0, {{"10:k:l", "7:k:r7", "8:k:r8", "13:k:r13", "14:k:r14", "13:other:r13"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(SinksOf(job)[0]), (Texts{"(k, (l, r13)) @ 13", "(k, (l, r8)) @ 10"}));
}

TEST(EventJoinTest, EachStreamGoesByItsOwnClock) {
  // One source, two ways to read its time: the slower one decides when records are late.
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    const auto fast = lines.WithTimestamps(&EventLine::TimeOf).Map(&EventLine::PairOf);
    const auto slow =
        lines.WithTimestamps(&EventLine::TimeOf, {.max_out_of_orderness = Us(20)}).Map(&EventLine::PairOf);
    fast.IntervalJoin(slow, Us(0), Us(0)).Records().Print(kEventAll);
    fast.WindowByKey(Tumbling(Us(10))).Count().Records().Print(kEventAll);
    slow.WindowByKey(Tumbling(Us(10))).Count().Records().Print(kEventAll);
  });
  const std::vector<std::uint32_t> sinks = SinksOf(job);
  job.Feed(0, {{"5:a:x", "25:a:y"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(sinks[0]), (Texts{"(a, (x, x))", "(a, (y, y))"}));
  EXPECT_EQ(job.sorted_texts(sinks[1]), (Texts{"{a, {0, 10}, 1}"}));
  EXPECT_EQ(job.sorted_texts(sinks[2]), Texts{});
  job.Feed(0, {{"6:a:z"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(sinks[0]), (Texts{"(a, (z, z))"}));
  EXPECT_EQ(job.sorted_texts(sinks[1]), Texts{});
  job.Feed(0, {{"30:a:z"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(sinks[2]), (Texts{"{a, {0, 10}, 2}"}));
}

}  // namespace
}  // namespace millrace
