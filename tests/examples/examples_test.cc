// Every example, as the library that would be submitted, against a plain computation of what it says it does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "examples/ml/kmeans.h"
#include "examples/ml/logistic.h"
#include "millrace/random_text.h"
#include "millrace/testing.h"
#include "millrace/to_text.h"
#include "millrace/words.h"

namespace millrace {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::JobTest;
using testing::JobTestOptions;
using testing::Splits;

JobTest Load(const std::string& name, const engine::Options& arguments = {}) {
  return JobTest::Load(std::string(MILLRACE_EXAMPLES) + "/" + name + ".so", {.arguments = arguments});
}

// A generator makes its records of their numbers.
void Generate(JobTest& job, std::string_view source, std::int64_t from, std::int64_t count) {
  std::vector<testing::TestRecord> records;
  for (std::int64_t i = from; i < from + count; ++i) records.push_back({.position = i});
  job.InputSplits(source, Splits{std::move(records)});
}

std::vector<std::string> WordsOf(std::int64_t from, std::int64_t count) {
  std::vector<std::string> words;
  for (std::int64_t i = from; i < from + count; ++i) {
    const std::string line = RandomLine(static_cast<std::uint64_t>(i), 1, 10, 10'000);
    ForEachWord(line, [&](std::string_view word) { words.emplace_back(word); });
  }
  return words;
}

// Batches of a hundred lines; the window covers the last ten.
TEST(Examples, TrendingWords) {
  JobTest job = Load("trending_words");
  for (std::int64_t b = 1; b <= 25; ++b) {
    Generate(job, "lines", (b - 1) * 100, 100);
    job.RunBatch();
    if (b % 4 == 0) job.LoseRunner();
    const std::int64_t first = std::max<std::int64_t>(0, b - 10) * 100;
    std::map<std::string, int> counts;
    for (const std::string& word : WordsOf(first, b * 100 - first)) ++counts[word];
    std::vector<std::pair<int, std::string>> ranked;
    for (const auto& [word, count] : counts) ranked.emplace_back(-count, word);
    std::ranges::sort(ranked);
    std::vector<std::string> expected;
    for (std::size_t i = 0; i < 5; ++i) {
      expected.push_back("(" + ranked[i].second + ", " + std::to_string(-ranked[i].first) + ")");
    }
    ASSERT_EQ(job.Texts("Print"), expected) << "batch " << b;
  }
}

TEST(Examples, RunningTotals) {
  JobTest job = Load("running_totals");
  Generate(job, "purchases", 0, 2);  // user0: 1, user1: 2
  job.RunBatch();
  EXPECT_THAT(job.SortedTexts("Print"), ElementsAre("user0 has spent 1", "user1 has spent 2"));
  job.LoseRunner();
  Generate(job, "purchases", 7, 1);  // user0: 8
  job.RunBatch();
  EXPECT_THAT(job.Texts("Print"), ElementsAre("user0 has spent 9"));
  job.RunBatch();
  job.RunBatch();
  EXPECT_THAT(job.Texts("Print"), ElementsAre("user1 is gone, after 2")) << "three seconds after its last record";
  job.RunBatch();
  EXPECT_THAT(job.Texts("Print"), ElementsAre("user0 is gone, after 9"));
}

TEST(Examples, Dedupe) {
  JobTest job = Load("dedupe");
  Generate(job, "events", 0, 4);
  job.RunBatch();
  EXPECT_THAT(job.SortedTexts("Print"), ElementsAre("event0 0", "event1 3"));
  Generate(job, "events", 4, 3);
  job.RunBatch();
  job.LoseRunner();
  EXPECT_THAT(job.SortedTexts("Print"), ElementsAre("event2 6"));
  job.Advance(std::chrono::hours(1));
  Generate(job, "events", 1, 1);
  job.RunBatch();
  EXPECT_THAT(job.Texts("Print"), ElementsAre("event0 1")) << "after an hour it is forgotten";
}

TEST(Examples, JoinStreams) {
  JobTest job = Load("join_streams");
  Generate(job, "views", 3, 1);   // user3, page0
  Generate(job, "users", 3, 1);   // user3
  Generate(job, "clicks", 1, 1);  // user3, ad1
  job.RunBatch();
  std::vector<std::string> all;
  for (const engine::OperatorDescription& op : job.graph().operators) {
    if (op.kind != engine::OperatorKind::kSink) continue;
    for (const std::string& text : job.Texts("#" + std::to_string(op.id))) all.push_back(text);
  }
  EXPECT_THAT(all, Contains("(user3, (ad1, page0))"));
  EXPECT_THAT(all, Contains(HasSubstr("from town 3")));
}

// The model: a window's count when the watermark (two seconds behind) has reached its end, and again when it changes.
TEST(Examples, EventTime) {
  JobTest job = Load("event_time");
  std::map<std::string, std::uint64_t> last;  // by "page and window", the last count that was given
  const auto sinks = [&] {
    std::vector<std::string> ids;
    for (const engine::OperatorDescription& op : job.graph().operators) {
      if (op.kind == engine::OperatorKind::kSink) ids.push_back("#" + std::to_string(op.id));
    }
    return ids;
  }();
  ASSERT_EQ(sinks.size(), 2u);
  std::uint64_t late = 0;
  constexpr int kBatches = 30;
  for (int b = 0; b < kBatches; ++b) {
    Generate(job, "clicks", b * 50, 50);
    job.RunBatch();
    for (const std::string& text : job.Texts(sinks[0])) {
      const std::size_t comma = text.rfind(", ");
      last[text.substr(0, comma)] = std::stoull(text.substr(comma + 2));
    }
    for (const std::string& text : job.Texts(sinks[1])) late += std::stoull(text);
  }
  std::uint64_t counted = 0;
  for (const auto& [window, count] : last) counted += count;
  // 150 s of clicks: 14 whole windows have been given; a click a minute late is in none of those but the first few.
  EXPECT_GE(late, 20u);
  EXPECT_GE(counted + late, 1'300u);
  EXPECT_LE(counted + late, 1'500u);
  EXPECT_EQ(job.Count("WindowByKey.Count", "late_records"), late);
}

TEST(Examples, Sessions) {
  JobTest job = Load("sessions");
  for (int b = 0; b < 10; ++b) {
    Generate(job, "actions", b * 50, 50);
    job.RunBatch();
    for (const std::string& text : job.Texts("Print"))
      EXPECT_THAT(text, HasSubstr("}, 20}")) << "twenty actions in a row";
  }
}

TEST(Examples, DeadLetters) {
  JobTest job = Load("dead_letters", {{"input", "unused"}, {"bad", "unused"}});
  job.Input("lines", {"1", "two", "3"});
  job.RunBatch();
  EXPECT_THAT(job.Texts("Print"), ElementsAre("4"));
  ASSERT_EQ(job.Texts("ToFiles").size(), 1u);
  EXPECT_THAT(job.Texts("ToFiles").front(), HasSubstr(":1: stol: two"));
  EXPECT_EQ(job.Count("parse", "bad_records"), 1u);
}

TEST(Examples, PerBatch) {
  JobTest job = Load("per_batch");
  Generate(job, "lines", 0, 50);
  job.RunBatch();
  const auto words = WordsOf(0, 50);
  const auto longer = std::ranges::count_if(words, [](const std::string& word) { return word.size() > 5; });
  EXPECT_THAT(job.Texts("Print"), ElementsAre("batch 1 has " + std::to_string(longer) + " long words"));
  job.RunBatch();
  EXPECT_THAT(job.Texts("Print"), ElementsAre("batch 2 has 0 long words"));
}

std::string First(const JobTest& job) {
  for (const engine::OperatorDescription& op : job.graph().operators) {
    if (op.kind == engine::OperatorKind::kSink) return "#" + std::to_string(op.id);
  }
  return {};
}

ml::Point KMeansPoint(std::uint64_t index) {  // as the example makes them
  constexpr ml::Point kCentres[] = {{0, 0}, {10, 0}, {0, 10}};
  const std::uint64_t mixed = (index + 1) * 0x9e3779b97f4a7c15U;
  const auto unit = [](std::uint64_t bits) { return static_cast<double>(bits & 0xffff) / 0x10000 * 2 - 1; };
  return {kCentres[index % 3][0] + unit(mixed >> 16), kCentres[index % 3][1] + unit(mixed >> 40)};
}

// The same updates over the same batches, without a stream: the model must be the same to the last digit.
TEST(Examples, StreamingKMeansEqualsTheBatchComputation) {
  for (const std::string decay : {"1", "0.5"}) {
    JobTest job = Load("streaming_kmeans", {{"decay", decay}});
    ml::KMeans model = {{{1, 1}, 0}, {{6, 1}, 0}, {{1, 6}, 0}};
    constexpr int kBatch = 300;
    for (int b = 0; b < 20; ++b) {
      Generate(job, "points", b * kBatch, kBatch);
      job.RunBatch();
      std::vector<ml::Point> points;
      for (int i = 0; i < kBatch; ++i) points.push_back(KMeansPoint(static_cast<std::uint64_t>(b * kBatch + i)));
      model = ml::Update(std::move(model), points, std::stod(decay));
      ASSERT_EQ(job.Texts(First(job)), std::vector<std::string>{TextOf(model)}) << "batch " << b;
      if (b % 7 == 3) job.LoseRunner();
    }
    const double centres[][2] = {{0, 0}, {10, 0}, {0, 10}};
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(model[i].at[0], centres[i][0], 0.1);
      EXPECT_NEAR(model[i].at[1], centres[i][1], 0.1);
    }
  }
}

ml::Sample LogisticSample(std::uint64_t index) {  // as the example makes them
  const std::uint64_t mixed = (index * 2 + 2) * 0x9e3779b97f4a7c15U;
  const auto unit = [](std::uint64_t bits) { return static_cast<double>(bits & 0xffff) / 0x10000 * 2 - 1; };
  const double x = unit(mixed >> 16);
  const double y = unit(mixed >> 40);
  return {{x, y, 1}, x * 2 - y + 0.25 > 0 ? 1 : 0};
}

TEST(Examples, OnlineLogisticRegressionEqualsSequentialDescentAndPredicts) {
  JobTest job = Load("online_logistic");
  ml::Logistic model;
  std::uint64_t right = 0;
  std::uint64_t wrong = 0;
  constexpr int kBatch = 500;
  for (int b = 0; b < 20; ++b) {
    Generate(job, "samples", b * kBatch, kBatch);
    job.RunBatch();
    for (int i = 0; i < kBatch; ++i) ml::Learn(model, LogisticSample(static_cast<std::uint64_t>(b * kBatch + i)), 0.5);
    ASSERT_EQ(job.Texts(First(job)), std::vector<std::string>{TextOf(model)}) << "batch " << b;
    if (b % 6 == 2) job.LoseRunner();
    if (b < 5) continue;
    for (const engine::OperatorDescription& op : job.graph().operators) {
      if (op.kind != engine::OperatorKind::kSink) continue;
      for (const std::string& text : job.Texts("#" + std::to_string(op.id))) {
        if (text.starts_with("(right, ")) right += std::stoull(text.substr(8));
        if (text.starts_with("(wrong, ")) wrong += std::stoull(text.substr(8));
      }
    }
  }
  EXPECT_EQ(right + wrong, 15u * kBatch);
  EXPECT_GT(static_cast<double>(right) / static_cast<double>(right + wrong), 0.95);
}

}  // namespace
}  // namespace millrace
