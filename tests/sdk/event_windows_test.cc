// Windows of event time against models that keep every record: all kinds of windows, both backends, many and few
// partitions, idle splits, empty batches, late records, and the state saved and restored on the way.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
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
  std::int64_t size;   // of a session: the gap
  std::int64_t slide;  // 0: sessions
  std::int64_t offset;
  std::int64_t lateness;
  std::int64_t out_of_orderness;
  std::int64_t idle_after;  // batches
  std::int64_t partitions;
  std::size_t splits;
  int keys;
  std::int64_t start;
  std::size_t most;  // records in a batch

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

const std::vector<Case> kCases = {
    {"tumbling", 10, 10, 0, 0, 5, 0, 4, 3, 5, -60, 30},
    {"tumbling_one_key_one_split", 7, 7, 0, 0, 0, 0, 1, 1, 1, 1000, 10},
    {"tumbling_late", 10, 10, 3, 25, 3, 3, 3, 4, 6, -100, 30},
    {"tumbling_few_records", 10, 10, 0, 15, 0, 2, 16, 5, 3, -10, 2},
    {"tumbling_size_one", 1, 1, 0, 0, 4, 4, 2, 2, 3, -50, 20},
    {"sliding", 12, 4, 0, 0, 6, 0, 4, 3, 4, -60, 30},
    {"sliding_uneven", 10, 4, 1, 0, 6, 3, 2, 3, 4, -60, 30},
    {"sliding_late", 12, 3, -2, 20, 2, 2, 3, 2, 4, -90, 25},
    {"sliding_late_uneven", 9, 6, 0, 13, 2, 2, 3, 2, 4, -90, 25},
    {"sliding_many_slices", 64, 1, 0, 7, 5, 3, 2, 2, 3, -200, 20},
    {"sliding_chunks", 30, 2, 5, 31, 5, 3, 2, 2, 3, -200, 20},
    {"session", 6, 0, 0, 0, 5, 0, 4, 3, 9, -60, 12},
    {"session_late", 5, 0, 0, 30, 2, 3, 3, 3, 12, -100, 14},
    {"session_late_one_key", 3, 0, 0, 40, 0, 2, 1, 2, 1, -100, 3},
    {"session_few_records", 8, 0, 0, 11, 1, 2, 16, 5, 3, -20, 2},
};

std::string Concat(std::string a, const std::string& b) {
  a += b;
  return SortedText(std::move(a));
}

template <class Stream>
void End(const Stream& results) {
  results.Records().Print(kEventAll);
  results.LateData().AsDStream().Print(kEventAll);
}

constexpr std::int64_t kBatchUs = 100'000;

class EventWindowsTest : public testing::TestWithParam<std::tuple<Case, bool>> {
 protected:
  using HowTo = std::function<void(const EventStream<std::pair<std::string, std::string>>&, const Case&)>;

  static const Case& Param() { return std::get<0>(GetParam()); }
  static bool Stored() { return std::get<1>(GetParam()); }

  static Harness Make(const HowTo& how) {
    Harness job([&](JobContext& ctx) {
      const Case& c = Param();
      how(ctx.TextFiles({.directory = "d"})
              .WithTimestamps(&EventLine::TimeOf, {.max_out_of_orderness = Us(c.out_of_orderness),
                                                   .idle_after = Us(c.idle_after * kBatchUs)})
              .Map(&EventLine::PairOf),
          c);
    });
    job.stored = Stored();
    return job;
  }

  // Calls f with the windows that the case is about.
  template <class Stream, class F>
  static void WithWindows(const Stream& pairs, const Case& c, const F& f) {
    if (c.slide == 0) {
      f(pairs.WindowByKey(Session(Us(c.size))).AllowedLateness(Us(c.lateness)));
    } else {
      f(pairs.WindowByKey(Sliding(Us(c.size), Us(c.slide), Us(c.offset))).AllowedLateness(Us(c.lateness)));
    }
  }

  static WindowModelBatch Expected(std::optional<AlignedModel>& aligned, std::optional<SessionModel>& session,
                                   const EventSplits& splits, std::int64_t before, std::int64_t after) {
    return aligned ? aligned->Batch(splits, before, after) : session->Batch(splits, before, after);
  }

  // Runs the job beside the model. `restore`: saved and restored after every so many batches; 0: never.
  static void Check(Harness job, int restore, std::uint64_t seed) {
    const Case& c = Param();
    std::mt19937_64 random(seed);
    WatermarkModel watermark(c.out_of_orderness, c.idle_after * kBatchUs);
    std::optional<AlignedModel> aligned;
    std::optional<SessionModel> session;
    if (c.slide == 0) {
      session.emplace(c.size, c.lateness);
    } else {
      aligned.emplace(c.size, c.slide, c.offset, c.lateness);
    }
    const std::vector<std::uint32_t> sinks = SinksOf(job);
    std::uint64_t late = 0;
    std::size_t results = 0;
    std::int64_t now = c.start;
    for (int batch = 0; batch < 60; ++batch) {
      const bool empty = batch % 11 == 4 || random() % 8 == 0;
      EventSplits splits = RandomEvents(random, c.splits, empty ? 0 : random() % (c.most + 1), now, c.keys);
      if (batch % 20 >= 12) splits.back().clear();  // is idle for some time
      const std::int64_t before = watermark.watermark;
      watermark.Batch(splits, job.time_us);
      const WindowModelBatch expected = Expected(aligned, session, splits, before, watermark.watermark);
      job.Feed(0, splits);
      job.RunBatch();
      ASSERT_EQ(job.sorted_texts(sinks[0]), expected.results) << "batch " << batch;
      ASSERT_EQ(job.sorted_texts(sinks[1]), expected.late) << "batch " << batch;
      late += expected.late.size();
      results += expected.results.size();
      if (restore != 0 && batch % restore == 0) job.Restore();
      job.time_us += kBatchUs;
      now += static_cast<std::int64_t>(random() % 9);
      if (batch == 40) now += 300;  // most of what is open is over at once
    }
    EXPECT_GT(results, 10u);
    std::uint64_t counted = 0;
    for (const auto& op : job.graph().operators) counted += job.count(op.id, "late_records");
    EXPECT_EQ(counted, late);
  }
};

TEST_P(EventWindowsTest, ReduceAgreesWithTheModel) {
  const HowTo how = [](const auto& pairs, const Case& c) {
    WithWindows(pairs, c, [&](const auto& windows) { End(windows.Reduce(Concat, c.partitions)); });
  };
  for (std::uint64_t seed = 1; seed <= 4; ++seed) Check(Make(how), 0, seed);
  Check(Make(how), 1, 11);
  Check(Make(how), 7, 12);
}

TEST_P(EventWindowsTest, AggregateAgreesWithTheModel) {
  const HowTo how = [](const auto& pairs, const Case& c) {
    WithWindows(pairs, c,
                [&](const auto& windows) { End(windows.Aggregate(std::string(), Concat, Concat, c.partitions)); });
  };
  Check(Make(how), 5, 21);
}

TEST_P(EventWindowsTest, ARestoreChangesNothingNotEvenTheOrder) {
  const HowTo how = [](const auto& pairs, const Case& c) {
    WithWindows(pairs, c, [&](const auto& windows) { End(windows.Group(c.partitions)); });
  };
  Harness plain = Make(how);
  plain.stored = false;
  Harness moved = Make(how);
  std::mt19937_64 random(51);
  std::int64_t now = Param().start;
  for (int batch = 0; batch < 40; ++batch) {
    const EventSplits splits = RandomEvents(random, Param().splits, random() % 30, now += 4, Param().keys);
    for (Harness* job : {&plain, &moved}) {
      job->Feed(0, splits);
      job->RunBatch();
      job->time_us += kBatchUs;
    }
    moved.Restore();
    for (const std::uint32_t sink : SinksOf(plain)) ASSERT_EQ(plain.texts(sink), moved.texts(sink)) << batch;
  }
}

TEST_P(EventWindowsTest, AllStateIsGivenUpOnceItIsOver) {
  Harness job = Make([](const auto& pairs, const Case& c) {
    WithWindows(pairs, c, [&](const auto& windows) { End(windows.Count(c.partitions)); });
  });
  std::mt19937_64 random(31);
  std::int64_t now = Param().start;
  for (int batch = 0; batch < 20; ++batch) {
    job.Feed(0, RandomEvents(random, Param().splits, 40, now += 3, Param().keys));
    job.RunBatch();
    job.time_us += kBatchUs;
  }
  EventSplits last(Param().splits);
  for (auto& split : last) split = {std::to_string(now + 1000) + ":last:x"};
  job.Feed(0, last);
  job.RunBatch();
  std::size_t kept = 0;
  for (const auto& [key, value] : job.StateEntries()) {
    if (key.find("clocks") == std::string::npos && key.find("last") == std::string::npos) ++kept;
  }
  EXPECT_EQ(kept, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, EventWindowsTest, testing::Combine(testing::ValuesIn(kCases), testing::Bool()),
                         [](const auto& one) {
                           return std::string(std::get<0>(one.param).name) +
                                  (std::get<1>(one.param) ? "_stored" : "_in_memory");
                         });

}  // namespace
}  // namespace millrace
