// Keyed processes on streams of event time, and records without a time that can be read.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/event_model.h"

namespace millrace {
namespace {

using Us = std::chrono::microseconds;
using Texts = std::vector<std::string>;

// Says what it sees, and gives the number of a key's records 10 us after the first of them.
class CountAfterTen : public KeyedProcess<std::string, std::string, std::string> {
 public:
  void OnRecord(Context& ctx, const std::string& key, const std::string& value, Emit& emit) {
    if (!count_.Exists()) ctx.SetEventTimer(*ctx.timestamp() + Us(10));
    count_.Change([](int& count) { ++count; });
    if (value == "later") ctx.SetTimer(ctx.time() + Us(100'000));
    if (value == "say") emit(key + " at watermark " + Text(ctx.watermark()));
  }
  void OnEventTimer(Context& ctx, const std::string& key, Time, Emit& emit) {
    emit(key + " " + std::to_string(count_.Get()) + " at watermark " + Text(ctx.watermark()));
    count_.Clear();
  }
  void OnTimer(Context&, const std::string& key, Time, Emit& emit) { emit(key + " later"); }

 private:
  static std::string Text(Time time) {
    const std::int64_t us = time.time_since_epoch().count();
    return us == INT64_MIN ? "none" : std::to_string(us);
  }
  ValueState<int> count_{*this, "count"};
};

class EventProcessTest : public testing::TestWithParam<bool> {
 protected:
  static Texts Run(Harness& job, EventSplits splits) {
    job.Feed(0, std::move(splits));
    job.RunBatch();
    job.Restore();
    job.time_us += 100'000;
    return job.sorted_texts(SinksOf(job)[0]);
  }
};

TEST_P(EventProcessTest, EventTimersGoOffWithTheWatermarkAndWhatIsGivenHasATime) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .WithTimestamps(&EventLine::TimeOf, {.max_out_of_orderness = Us(2)})
        .Map(&EventLine::PairOf)
        .Process<CountAfterTen>()
        .AsDStream()
        .Print(kEventAll);
  });
  job.stored = GetParam();
  job.time_us = 5'000'000;
  EXPECT_EQ(EventProcessTest::Run(job, {{"1:a:x", "5:b:say", "7:c:later"}, {"9:a:x"}}),
            (Texts{"b at watermark none @ 5"}));
  EXPECT_EQ(EventProcessTest::Run(job, {{"14:d:say"}, {"13:e:x"}}),
            (Texts{"a 2 at watermark 11 @ 11", "c later @ 5", "d at watermark 5 @ 14"}));
  EXPECT_EQ(EventProcessTest::Run(job, {{"2:late:say"}, {}}), (Texts{"late at watermark 11 @ 2"}));
  EXPECT_EQ(EventProcessTest::Run(job, {{"90:z:x"}, {"23:e:x"}}),
            (Texts{"b 1 at watermark 21 @ 15", "c 1 at watermark 21 @ 17", "late 1 at watermark 21 @ 12"}));
}

TEST_P(EventProcessTest, WindowsFollowAProcess) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .WithTimestamps(&EventLine::TimeOf)
        .Map(&EventLine::PairOf)
        .Process<CountAfterTen>({.partitions = 3})
        .Map([](const std::string&) { return std::pair(0, 0); })
        .WindowByKey(Tumbling(Us(20)))
        .Count()
        .Records()
        .Print(kEventAll);
  });
  job.stored = GetParam();
  EXPECT_EQ(EventProcessTest::Run(job, {{"1:a:x", "5:b:x", "12:c:say"}}), Texts{});
  EXPECT_EQ(EventProcessTest::Run(job, {{"20:d:x"}}), (Texts{"{0, {0, 20}, 3}"}));
}

INSTANTIATE_TEST_SUITE_P(Backends, EventProcessTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "stored" : "in_memory"; });

std::int64_t NumberOf(std::string_view line) { return std::stoll(std::string(line)); }

TEST(EventBadRecordsTest, RecordsWithoutAPossibleTimeAreSkippedOrHandedOn) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    const auto skipped = lines.WithTimestamps(NumberOf).SkipBadRecords();
    skipped.AsDStream().Print();
    const auto handed_on = lines.WithTimestamps(NumberOf);
    handed_on.BadRecords().Map([](const BadRecord& bad) { return bad.bytes; }).Print();
    handed_on.Map([](std::string_view line) { return std::pair(0, line); })
        .WindowByKey(Tumbling(Us(10)))
        .Count()
        .Records()
        .Print();
  });
  job.Feed(0, {{"5", "what", "9223372036854775807", "12"}});
  job.RunBatch();
  const std::vector<std::uint32_t> sinks = SinksOf(job);
  EXPECT_EQ(job.texts(sinks[0]), (Texts{"5 @ 5", "12 @ 12"}));
  EXPECT_EQ(job.texts(sinks[1]), (Texts{"what", "9223372036854775807"}));
  EXPECT_EQ(job.texts(sinks[2]), (Texts{"{0, {0, 10}, 1}"}));  // the absurd time has not moved the watermark
  EXPECT_EQ(job.count(1, "bad_records"), 2u);
}

TEST(EventBadRecordsTest, OperatorsOfAnEventStreamMayAlsoSkip) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"}).WithTimestamps([](std::string_view) { return 7; });
    lines.Map(NumberOf).SkipBadRecords().AsDStream().Print();
    lines.Filter([](std::string_view line) { return NumberOf(line) > 5; }).SkipBadRecords().AsDStream().Print();
  });
  job.Feed(0, {{"5", "what", "12"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(SinksOf(job)[0]), (Texts{"5 @ 7", "12 @ 7"}));
  EXPECT_EQ(job.texts(SinksOf(job)[1]), (Texts{"12 @ 7"}));
  EXPECT_THROW(Harness([](JobContext& ctx) {
                 ctx.TextFiles({.directory = "d"})
                     .WithTimestamps(&EventLine::TimeOf)
                     .Map(&EventLine::PairOf)
                     .WindowByKey(Tumbling(Us(1)))
                     .Count()
                     .SkipBadRecords()
                     .AsDStream()
                     .Print();
               }),
               std::invalid_argument);
}

}  // namespace
}  // namespace millrace
