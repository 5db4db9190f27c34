// Timestamps, watermarks and what an EventStream offers: cases by hand, each of one rule.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/event_model.h"

namespace millrace {
namespace {

using Us = std::chrono::microseconds;
using Texts = std::vector<std::string>;

EventStream<std::pair<std::string, std::string>> Pairs(JobContext& ctx, EventTimeOptions options = {}) {
  return ctx.TextFiles({.directory = "d"}).WithTimestamps(&EventLine::TimeOf, options).Map(&EventLine::PairOf);
}

// Counts in windows of 10 us, and late records.
Harness Counts(EventTimeOptions options, std::int64_t lateness = 0) {
  return Harness([&](JobContext& ctx) {
    const auto counts = Pairs(ctx, options).WindowByKey(Tumbling(Us(10))).AllowedLateness(Us(lateness)).Count(2);
    counts.Records().Print(kEventAll);
    counts.LateData().Records().Print(kEventAll);
  });
}

Texts RunOne(Harness& job, EventSplits splits, std::size_t sink = 0) {
  job.Feed(0, std::move(splits));
  job.RunBatch();
  job.time_us += 100'000;
  return job.sorted_texts(SinksOf(job)[sink]);
}
Texts Late(Harness& job) { return job.sorted_texts(SinksOf(job)[1]); }

TEST(EventTimeTest, AWindowGivesItsResultWhenTheWatermarkReachesItsEnd) {
  Harness job = Counts({.max_out_of_orderness = Us(3)});
  EXPECT_EQ(RunOne(job, {{"0:a:x", "9:a:x", "12:b:x"}}), Texts{});
  EXPECT_EQ(RunOne(job, {{}}), Texts{});
  EXPECT_EQ(RunOne(job, {{"13:b:x", "2:a:x"}}), (Texts{"{a, {0, 10}, 3}"}));
  EXPECT_EQ(RunOne(job, {{"22:a:x"}}), Texts{});
  EXPECT_EQ(RunOne(job, {{"90:a:x"}}), (Texts{"{a, {20, 30}, 1}", "{b, {10, 20}, 2}"}));
}

TEST(EventTimeTest, LateExactlyAtTheEdge) {
  Harness job = Counts({}, 5);
  RunOne(job, {{"5:a:x", "14:a:x"}});
  EXPECT_EQ(RunOne(job, {{"9:a:y"}}), (Texts{"{a, {0, 10}, 2}"}));  // 10 + 5 > 14: allowed
  RunOne(job, {{"15:a:x"}});
  EXPECT_EQ(RunOne(job, {{"9:a:z", "10:a:z"}}), Texts{});  // 10 + 5 <= 15: late
  EXPECT_EQ(Late(job), (Texts{"(a, z)"}));
}

TEST(EventTimeTest, RecordsOfABatchAreJudgedByTheWatermarkBeforeIt) {
  Harness job = Counts({});
  EXPECT_EQ(RunOne(job, {{"100:a:x", "5:a:x"}}), (Texts{"{a, {0, 10}, 1}"}));
  EXPECT_EQ(Late(job), Texts{});
  EXPECT_EQ(RunOne(job, {{"5:a:x"}}), Texts{});
  EXPECT_EQ(Late(job), (Texts{"(a, x)"}));
}

TEST(EventTimeTest, ManyAllowedRecordsGiveOneResultABatch) {
  Harness job = Counts({}, 50);
  EXPECT_EQ(RunOne(job, {{"5:a:x", "20:b:x"}}), (Texts{"{a, {0, 10}, 1}"}));
  EXPECT_EQ(RunOne(job, {{"5:a:x", "6:a:x"}, {"7:a:x", "1:c:x"}}), (Texts{"{a, {0, 10}, 4}", "{c, {0, 10}, 1}"}));
  EXPECT_EQ(RunOne(job, {{}, {}}), Texts{});
}

TEST(EventTimeTest, TheSlowestSplitHoldsTheWatermark) {
  Harness job = Counts({});
  EXPECT_EQ(RunOne(job, {{"5:a:x", "40:a:x"}, {"8:b:x"}}), Texts{});
  EXPECT_EQ(RunOne(job, {{}, {"12:b:x"}}), (Texts{"{a, {0, 10}, 1}", "{b, {0, 10}, 1}"}));
}

TEST(EventTimeTest, ASplitThatNeverHadRecordsHoldsTheWatermarkUntilItIsIdle) {
  Harness never = Counts({});
  RunOne(never, {{"5:a:x", "40:a:x"}, {}});
  for (int i = 0; i < 9; ++i) EXPECT_EQ(RunOne(never, {{}, {}}), Texts{});

  Harness job = Counts({.idle_after = Us(300'000)});
  EXPECT_EQ(RunOne(job, {{"5:a:x", "40:a:x"}, {}}), Texts{});
  EXPECT_EQ(RunOne(job, {{"41:a:x"}, {}}), Texts{});
  EXPECT_EQ(RunOne(job, {{"42:a:x"}, {}}), Texts{});
  EXPECT_EQ(RunOne(job, {{"43:a:x"}, {}}), (Texts{"{a, {0, 10}, 1}"}));
}

TEST(EventTimeTest, AnIdleSplitComesBackAndTheWatermarkDoesNotGoBack) {
  Harness job = Counts({.idle_after = Us(200'000)});
  RunOne(job, {{"5:a:x"}, {"5:b:x"}});
  RunOne(job, {{"25:a:x"}, {}});
  EXPECT_EQ(RunOne(job, {{"26:a:x"}, {}}), (Texts{"{a, {0, 10}, 1}", "{b, {0, 10}, 1}"}));
  EXPECT_EQ(RunOne(job, {{"35:a:x"}, {"7:b:x", "21:b:x"}}), Texts{});  // 7 is late; 21 holds the watermark at 26
  EXPECT_EQ(Late(job), (Texts{"(b, x)"}));
  EXPECT_EQ(RunOne(job, {{"36:a:x"}, {"30:b:x"}}), (Texts{"{a, {20, 30}, 2}", "{b, {20, 30}, 1}"}));
}

TEST(EventTimeTest, WhileAllAreIdleTheWatermarkStays) {
  Harness job = Counts({.idle_after = Us(100'000)});
  EXPECT_EQ(RunOne(job, {{"5:a:x", "50:a:x"}, {"8:b:x"}}), Texts{});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(RunOne(job, {{}, {}}), Texts{});
}

TEST(EventTimeTest, ASplitThatHasEndedHoldsNothingBack) {
  Harness job = Counts({});
  EXPECT_EQ(RunOne(job, {{"5:a:x", "40:a:x"}, {"8:b:x"}}), Texts{});
  EXPECT_EQ(RunOne(job, {{}}), (Texts{"{a, {0, 10}, 1}", "{b, {0, 10}, 1}"}));
}

TEST(EventTimeTest, WindowsFollowWindows) {
  // Counts in 10 us, then their sum in 20 us: results carry the last moment of their window, and the watermark goes on.
  Harness job([](JobContext& ctx) {
    Pairs(ctx)
        .WindowByKey(Tumbling(Us(10)))
        .Count(3)
        .Map([](const WindowResult<std::string, std::uint64_t>& count) { return std::pair(1, count.value); })
        .WindowByKey(Tumbling(Us(20)))
        .Reduce(std::plus<>(), 2)
        .AsDStream()
        .Print(kEventAll);
  });
  EXPECT_EQ(RunOne(job, {{"1:a:x", "2:a:x", "3:b:x", "11:c:x", "19:d:x"}}), Texts{});
  EXPECT_EQ(RunOne(job, {{"20:a:x"}}), (Texts{"{1, {0, 20}, 5} @ 19"}));
  EXPECT_EQ(RunOne(job, {{"29:a:x", "41:a:x"}}), (Texts{"{1, {20, 40}, 2} @ 39"}));
}

TEST(EventTimeTest, IdlenessPassesThroughWindows) {
  // The second source has nothing: behind a window too, it is idle when its own time is over.
  Harness job([](JobContext& ctx) {
    const auto counts = [&](std::string dir, Us idle_after) {
      return ctx.TextFiles({.directory = std::move(dir)})
          .WithTimestamps(&EventLine::TimeOf, {.idle_after = idle_after})
          .Map(&EventLine::PairOf)
          .WindowByKey(Tumbling(Us(10)))
          .Count(2)
          .Map([](const auto& count) { return std::pair(count.key, count.value); });
    };
    counts("a", Us(0))
        .Union(counts("b", Us(300'000)))
        .WindowByKey(Tumbling(Us(10)))
        .Count(2)
        .Records()
        .Print(kEventAll);
  });
  const std::uint32_t other = SourcesOf(job)[1];
  job.Feed(other, {{}});
  EXPECT_EQ(RunOne(job, {{"5:a:x", "40:a:x"}}), Texts{});
  EXPECT_EQ(RunOne(job, {{}}), Texts{});
  EXPECT_EQ(RunOne(job, {{}}), Texts{});
  EXPECT_EQ(RunOne(job, {{}}), (Texts{"{a, {0, 10}, 1}"}));
}

TEST(EventTimeTest, OperatorsKeepTheTime) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"}).WithTimestamps(&EventLine::TimeOf);
    lines.Map([](std::string_view line) { return line.size(); }).AsDStream().Print(kEventAll);
    lines.Filter([](std::string_view line) { return line[0] == '1'; }).AsDStream().Print(kEventAll);
    lines.FlatMap<char>([](std::string_view line, auto&& emit) { emit(line[0]), emit(line[1]); })
        .AsDStream()
        .Print(kEventAll);
    lines.FlatMap([](std::string_view line) { return std::vector<std::string>(2, std::string(line)); })
        .Records()
        .Print(kEventAll);
    lines.Union(lines).AsDStream().Print(kEventAll);
  });
  job.Feed(0, {{"17:a:b", "3:c:d"}});
  job.RunBatch();
  const std::vector<std::uint32_t> sinks = SinksOf(job);
  EXPECT_EQ(job.texts(sinks[0]), (Texts{"6 @ 17", "5 @ 3"}));
  EXPECT_EQ(job.texts(sinks[1]), (Texts{"17:a:b @ 17"}));
  EXPECT_EQ(job.texts(sinks[2]), (Texts{"1 @ 17", "7 @ 17", "3 @ 3", ": @ 3"}));
  EXPECT_EQ(job.texts(sinks[3]), (Texts{"17:a:b", "17:a:b", "3:c:d", "3:c:d"}));
  EXPECT_EQ(job.sorted_texts(sinks[4]), (Texts{"17:a:b @ 17", "17:a:b @ 17", "3:c:d @ 3", "3:c:d @ 3"}));
}

TEST(EventTimeTest, RecordsWithTheirTimesMayBeKeys) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"}).WithTimestamps(&EventLine::TimeOf);
    lines.AsDStream().CountByValue(2).Print(kEventAll);
  });
  EXPECT_EQ(RunOne(job, {{"1:a:x", "2:b:x", "1:a:x"}}), (Texts{"(1:a:x @ 1, 2)", "(2:b:x @ 2, 1)"}));
}

TEST(EventTimeTest, FilteredRecordsStillMoveTheWatermark) {
  Harness job([](JobContext& ctx) {
    Pairs(ctx)
        .Filter([](const auto& pair) { return pair.first != "tick"; })
        .WindowByKey(Tumbling(Us(10)))
        .Count()
        .Records()
        .Print(kEventAll);
  });
  RunOne(job, {{"5:a:x"}});
  EXPECT_EQ(RunOne(job, {{"10:tick:x"}}), (Texts{"{a, {0, 10}, 1}"}));
}

TEST(EventTimeTest, TimesMayBeSystemTimes) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    using Millis = std::chrono::sys_time<std::chrono::milliseconds>;
    using Nanos = std::chrono::sys_time<std::chrono::nanoseconds>;
    const auto millis = [](std::string_view) { return Millis(std::chrono::milliseconds(-2)); };
    const auto nanos = [](std::string_view) { return Nanos(std::chrono::nanoseconds(-1)); };
    lines.WithTimestamps(millis).AsDStream().Print();
    lines.WithTimestamps(nanos).AsDStream().Print();
  });
  job.Feed(0, {{"x"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(SinksOf(job)[0]), (Texts{"x @ -2000"}));
  EXPECT_EQ(job.texts(SinksOf(job)[1]), (Texts{"x @ -1"}));  // down, not towards the epoch
}

TEST(EventTimeTest, KafkaRecordsHaveTheSourcesTime) {
  Harness job([](JobContext& ctx) {
    ctx.Kafka({.brokers = "b", .topics = {"t"}})
        .WithSourceTimestamps()
        .Map([](const KafkaRecord& record) { return std::string(record.value); })
        .AsDStream()
        .Print();
  });
  job.Feed(0, {{"x"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(SinksOf(job)[0]), (Texts{"x @ 0"}));  // the harness knows no time
}

TEST(EventTimeTest, AbsurdTimesFailTheAttempt) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"}).WithTimestamps([](std::string_view) { return INT64_MAX; }).Records().Print();
  });
  job.Feed(0, {{"x"}});
  EXPECT_THROW(job.RunBatch(), std::out_of_range);
}

TEST(EventTimeTest, GroupsHoldAllValuesInOrder) {
  Harness job([](JobContext& ctx) {
    const auto pairs = Pairs(ctx, {.max_out_of_orderness = Us(12)});
    pairs.WindowByKey(Sliding(Us(20), Us(10))).Group(3).Records().Print(kEventAll);
    pairs.WindowByKey(Session(Us(8))).Group(3).Records().Print(kEventAll);
  });
  RunOne(job, {{"15:a:1", "3:a:2"}, {"4:a:3", "22:a:4", "90:b:5"}});
  job.Feed(0, {{"90:b:6"}, {"90:b:7"}});
  job.RunBatch();
  EXPECT_EQ(job.sorted_texts(SinksOf(job)[0]), (Texts{"{a, {-10, 10}, [2, 3]}", "{a, {0, 20}, [2, 3, 1]}",
                                                      "{a, {10, 30}, [1, 4]}", "{a, {20, 40}, [4]}"}));
  EXPECT_EQ(job.sorted_texts(SinksOf(job)[1]), (Texts{"{a, {15, 30}, [1, 4]}", "{a, {3, 12}, [2, 3]}"}));
}

TEST(EventTimeTest, SessionsExactlyAGapApartBelongTogether) {
  Harness job([](JobContext& ctx) { Pairs(ctx).WindowByKey(Session(Us(5))).Count().Records().Print(kEventAll); });
  EXPECT_EQ(RunOne(job, {{"0:a:x", "5:a:x", "11:a:x", "0:b:x", "12:b:x", "6:b:x", "90:z:x"}}),
            (Texts{"{a, {0, 10}, 2}", "{a, {11, 16}, 1}", "{b, {0, 5}, 1}", "{b, {12, 17}, 1}", "{b, {6, 11}, 1}"}));
}

TEST(EventTimeTest, ARecordIsStoredOnceHoweverManyWindowsItIsIn) {
  const auto entries = [](Us slide) {
    Harness job([&](JobContext& ctx) { Pairs(ctx).WindowByKey(Sliding(Us(1000), slide)).Count(1).Records().Print(); });
    RunOne(job, {{"5:a:x"}});
    std::size_t slices = 0;
    for (const auto& [key, value] : job.StateEntries()) slices += key.find("slices") != std::string::npos ? 1 : 0;
    return slices;
  };
  EXPECT_EQ(entries(Us(1000)), 1u);
  EXPECT_EQ(entries(Us(10)), 1u);
}

TEST(EventTimeTest, WhatIsStoredIsOneTimerAKeyNotOneAWindow) {
  Harness job([](JobContext& ctx) { Pairs(ctx).WindowByKey(Sliding(Us(1000), Us(10))).Count(1).Records().Print(); });
  Harness::Split records;
  for (int i = 0; i < 50; ++i) records.push_back("5:a:x");
  RunOne(job, {records});
  std::size_t timers = 0;
  for (const auto& [key, value] : job.StateEntries()) timers += key.find("timers") != std::string::npos ? 1 : 0;
  EXPECT_EQ(timers, 1u);
}

std::string WhyRefused(const std::function<void(JobContext&)>& body) {
  try {
    Harness job(body);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

void ExpectRefused(const std::string& why, const std::string& part) {
  EXPECT_NE(why.find(part), std::string::npos) << "refused with: " << why;
}

TEST(EventTimeTest, WrongUseIsRefused) {
  const auto windows = [](const auto& spec) {
    return WhyRefused([&](JobContext& ctx) { Pairs(ctx).WindowByKey(spec).Count().Records().Print(); });
  };
  ExpectRefused(windows(Tumbling(Us(0))), "size of 0 us");
  ExpectRefused(windows(Tumbling(Us(-5))), "size of -5 us");
  ExpectRefused(windows(Sliding(Us(10), Us(0))), "slide of 0 us");
  ExpectRefused(windows(Sliding(Us(10), Us(11))), "slide of 11 us is longer than its size of 10 us");
  ExpectRefused(windows(Session(Us(0))), "gap of 0 us");
  ExpectRefused(windows(Session(Us(INT64_MAX))), "1000 years");
  ExpectRefused(WhyRefused([](JobContext& ctx) {
                  Pairs(ctx).WindowByKey(Tumbling(Us(1))).AllowedLateness(Us(-1)).Count().Records().Print();
                }),
                "AllowedLateness at event_time_test.cc:");
  ExpectRefused(WhyRefused([](JobContext& ctx) { Pairs(ctx, {.max_out_of_orderness = Us(-1)}).Records().Print(); }),
                "max_out_of_orderness of -1 us");
  ExpectRefused(WhyRefused([](JobContext& ctx) { Pairs(ctx, {.idle_after = Us(-1)}).Records().Print(); }),
                "idle_after of -1 us");
  ExpectRefused(
      WhyRefused([](JobContext& ctx) { Pairs(ctx).IntervalJoin(Pairs(ctx), Us(2), Us(1)).Records().Print(); }),
      "lower bound of 2 us is above its upper bound of 1 us");
  ExpectRefused(WhyRefused([](JobContext& ctx) { Pairs(ctx).WindowByKey(Tumbling(Us(1))).Count(0).Records().Print(); }),
                "0 partitions");
  ExpectRefused(WhyRefused([](JobContext& ctx) {
                  JobContext other("other", {});
                  Pairs(ctx).Union(Pairs(other)).Records().Print();
                }),
                "two contexts");
}

TEST(EventTimeTest, DamagedBlocksAreFound) {
  Harness job([](JobContext& ctx) { Pairs(ctx).WindowByKey(Tumbling(Us(10))).Count(1).Uid("w").Records().Print(); });
  job.Feed(0, {{"5:a:x", "7:b:x"}});
  job.RunBatch();
  const std::uint32_t root = job.graph().stages[1].root;
  const std::string good = job.blocks(root, 0)[0].data;
  struct Nowhere : engine::TaskOutput {
    void Block(std::uint32_t, std::uint32_t, std::string, std::uint64_t) override {}
    void Rows(std::uint32_t, std::span<const engine::SinkRow>) override {}
    void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
  } nowhere;
  const auto feed = [&](const std::string& data) {
    const auto state = job.program().NewState(1, 0, nullptr);
    state->Loaded();
    engine::TaskContext context;
    context.batch = 1;
    context.stage = 1;
    context.state = state.get();
    const auto task = job.program().NewTask(context, nowhere);
    task->Block(data);
    task->Finish();
  };
  feed(good);
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_THROW(feed(good.substr(0, size)), CodecError) << size;
  EXPECT_THROW(feed(good + "x"), CodecError);
}

}  // namespace
}  // namespace millrace
