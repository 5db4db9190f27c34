#include "millrace/testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "millrace/millrace.h"

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void CountWords(JobContext& ctx) {
  ctx.BatchInterval(1s);
  ctx.TextFiles({.directory = "unused"})
      .Uid("lines")
      .FlatMap([](std::string_view line, auto&& emit) { ForEachWord(line, emit); })
      .Map([](std::string_view word) { return std::pair(word, 1); })
      .MapWithState(StateSpec([](const std::string& word, std::optional<int> one, StateHandle<int>& count) {
        count.Update(count.GetOr(0) + *one);
        return std::pair(word, count.Get());
      }))
      .Uid("counts")
      .ToFiles({.directory = "unused"})
      .Uid("out");
}

class KitTest : public ::testing::TestWithParam<bool> {};

TEST_P(KitTest, BatchesInOutputsAndStateOut) {
  JobTest job(CountWords, {.stored = GetParam()});
  job.Input("lines", {"a b", "a"});
  job.RunBatch();
  EXPECT_THAT(job.SortedTexts("out"), ElementsAre("(a, 1)", "(a, 2)", "(b, 1)"));
  job.RunBatch();
  EXPECT_THAT(job.Texts("out"), IsEmpty());
  EXPECT_EQ((job.State<std::string, int>("counts", "states")), (std::map<std::string, int>{{"a", 2}, {"b", 1}}));
}

TEST_P(KitTest, ALossChangesNothing) {
  JobTest job(CountWords, {.stored = GetParam(), .checkpoint_every = 3});
  for (int batch = 1; batch <= 20; ++batch) {
    job.Input("lines", {"a"});
    job.RunBatch();
    EXPECT_THAT(job.Texts("out"), ElementsAre("(a, " + std::to_string(batch) + ")"));
    job.LoseRunner();
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, KitTest, ::testing::Bool());

TEST(Kit, AJobThatIsNotDeterministicIsFoundOut) {
  std::atomic<int> calls{0};
  JobTest job([&calls](JobContext& ctx) {
    ctx.BatchInterval(1s);
    ctx.TextFiles({.directory = "d"}).Map([&calls](std::string_view) { return ++calls; }).Print();
  });
  job.Input("TextFiles", {"a"});
  job.RunBatch();
  try {
    job.LoseRunner();
    FAIL();
  } catch (const std::logic_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("not deterministic"));
  }
}

TEST(Kit, ErrorsNameTheOperator) {
  JobTest job([](JobContext& ctx) {
    ctx.BatchInterval(1s);
    ctx.TextFiles({.directory = "d"}).Map([](std::string_view line) { return std::stoi(std::string(line)); }).Print();
  });
  job.Input("#0", {"x"});
  try {
    job.RunBatch();
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("Map at testing_kit_test.cc"));
  }
  EXPECT_THROW(job.Input("nothing", {"x"}), std::invalid_argument);
}

TEST(Kit, TheClockMovesByBatchesAndFunctionsSeeIt) {
  std::vector<std::int64_t> seconds;
  JobTest job(
      [&seconds](JobContext& ctx) {
        ctx.BatchInterval(1s);
        ctx.TextFiles({.directory = "d"})
            .Count()
            .ForEachBatch([&](const BatchContext& batch, std::span<const std::uint64_t>) {
              seconds.push_back(std::chrono::floor<std::chrono::seconds>(batch.time).time_since_epoch().count());
            });
      },
      {.start = std::chrono::sys_time<std::chrono::microseconds>(100s)});
  job.Input("TextFiles", {"a"});
  job.Advance(3s);
  EXPECT_THAT(seconds, ElementsAre(101, 102, 103));
}

TEST(Kit, TheLibraryThatIsSubmittedRunsAsItIs) {
  JobTest job = JobTest::Load(MILLRACE_EXAMPLES "/word_count.so");
  ASSERT_FALSE(job.graph().operators.empty());
}

}  // namespace
}  // namespace millrace::testing
