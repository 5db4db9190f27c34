// Timers of keyed processes, large states, the work of giving back what has ended, and what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;
using Us = std::chrono::microseconds;
constexpr std::uint64_t kAll = 1'000'000;

// "key:value"
auto Pairs(JobContext& ctx) {
  return ctx.TextFiles({.directory = "d"}).Map([](std::string_view t) {
    return std::pair(std::string(t.substr(0, t.find(':'))), std::stoi(std::string(t.substr(t.find(':') + 1))));
  });
}
std::string TextOfTime(std::chrono::sys_time<Us> time) { return std::to_string(time.time_since_epoch().count()); }

class ProcessTimersTest : public testing::TestWithParam<bool> {
 protected:
  template <class P>
  static Harness Make(std::int64_t partitions) {
    Harness job([&](JobContext& ctx) { Pairs(ctx).Process<P>({.partitions = partitions}).Print(kAll); });
    job.stored = GetParam();
    return job;
  }
  static Texts Run(Harness& job, std::int64_t time_us, const Harness::Split& records) {
    job.time_us = time_us;
    job.Feed(0, {records});
    job.RunBatch();
    return job.texts(3);
  }
};

// A record sets a timer for its value, and deletes one when that is negative.
class Alarm : public KeyedProcess<std::string, int, std::string> {
 public:
  void OnRecord(Context& ctx, const std::string& key, int value, Emit& emit) {
    EXPECT_EQ(ctx.key(), key);
    const Time time{Us(value < 0 ? -value : value)};
    if (value < 0) {
      ctx.DeleteTimer(time);
    } else {
      ctx.SetTimer(time);
    }
    emit(key + " record at " + TextOfTime(ctx.time()));
  }
  void OnTimer(Context& ctx, const std::string& key, Time time, Emit& emit) {
    EXPECT_EQ(ctx.key(), key);
    emit(key + " timer " + TextOfTime(time) + " at " + TextOfTime(ctx.time()));
    if (time.time_since_epoch() == Us(60)) {  // once more, and again when that is due
      ctx.SetTimer(time + Us(1));
      ctx.SetTimer(time + Us(1'000));
    }
  }
};

TEST_P(ProcessTimersTest, GoOffBeforeTheRecordsOfTheFirstBatchThatIsLateEnough) {
  Harness job = Make<Alarm>(1);
  EXPECT_EQ(Run(job, 10, {"a:30", "b:30", "a:20", "a:20"}).size(), 4U);
  EXPECT_EQ(Run(job, 19, {}), Texts{});
  job.Restore();
  EXPECT_EQ(Run(job, 20, {"c:25"}), (Texts{"a timer 20 at 20", "c record at 20"}));
  EXPECT_EQ(Run(job, 29, {"b:-30", "b:-77"}), (Texts{"c timer 25 at 29", "b record at 29", "b record at 29"}));
  EXPECT_EQ(Run(job, 30, {}), Texts{"a timer 30 at 30"});
  EXPECT_EQ(Run(job, 1'000, {}), Texts{});
}

TEST_P(ProcessTimersTest, ThatAreDueWhenTheyAreSetGoOffInTheSameBatch) {
  Harness job = Make<Alarm>(1);
  EXPECT_EQ(Run(job, 50, {"a:7", "b:50", "a:51"}),
            (Texts{"a record at 50", "b record at 50", "a record at 50", "a timer 7 at 50", "b timer 50 at 50"}));
  EXPECT_EQ(Run(job, 100, {"c:60"}),
            (Texts{"a timer 51 at 100", "c record at 100", "c timer 60 at 100", "c timer 61 at 100"}));
  EXPECT_EQ(Run(job, 2'000, {}), Texts{"c timer 1060 at 2000"});
}

TEST_P(ProcessTimersTest, AgreeWithAModelThroughRestores) {
  for (const std::int64_t partitions : {1, 5, 128}) {
    std::mt19937_64 random(41);
    std::set<std::pair<int, std::string>> model;
    Harness job = Make<Alarm>(partitions);
    for (int now = 100; now < 300; ++now) {
      Texts expected;
      const auto pop = [&] {
        while (!model.empty() && model.begin()->first <= now) {
          const auto [time, key] = *model.begin();
          expected.push_back(key + " timer " + std::to_string(time) + " at " + std::to_string(now));
          model.erase(model.begin());
        }
      };
      pop();
      Harness::Split records;
      for (std::size_t i = random() % 20; i > 0; --i) {
        const int time = now - 3 + static_cast<int>(random() % 40);
        const std::string key = "k" + std::to_string(random() % 9);
        const bool deletes = random() % 4 == 0;
        records.push_back(key + ":" + std::to_string(deletes ? -time : time));
        expected.push_back(key + " record at " + std::to_string(now));
        if (deletes) {
          model.erase({time, key});
        } else {
          model.emplace(time, key);
        }
      }
      pop();
      Run(job, now, records);
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(job.sorted_texts(3), expected) << now;
      if (now % 17 == 3) job.Restore();
    }
  }
}

// Numbers in a list and in a map; the list with pieces that are dropped, the map larger than one look at the store.
class Hoard : public KeyedProcess<std::string, int, std::uint64_t> {
 public:
  void OnRecord(Context&, const std::string&, int value, Emit& emit) {
    if (value >= 0) {
      list_.Append(value);
      map_.Put(value, -value);
      return;
    }
    list_.DropFront(static_cast<std::uint64_t>(-value));
    std::uint64_t sum = 0;
    int before = -1;
    list_.ForEach([&](int one) {
      EXPECT_GT(one, before);
      before = one;
      sum += static_cast<std::uint64_t>(one);
    });
    std::uint64_t count = 0;
    map_.ForEach([&](int key, int mapped) {
      EXPECT_EQ(mapped, -key);
      ++count;
    });
    emit(list_.Size());
    emit(sum);
    emit(count);
    if (value == -5) map_.Clear();
  }

 private:
  ListState<int> list_{*this, "list"};
  MapState<int, int> map_{*this, "map"};
};

TEST_P(ProcessTimersTest, LargeListsAndMaps) {
  Harness job = Make<Hoard>(2);
  constexpr std::uint64_t kCount = 40'000;  // more than is cached
  Harness::Split records;
  for (std::uint64_t i = 0; i < kCount; ++i) records.push_back("a:" + std::to_string(i));
  records.push_back("b:3");
  Run(job, 1, records);
  job.Restore();
  std::uint64_t sum = kCount * (kCount - 1) / 2 - (0 + 1 + 2 + 3 + 4);
  EXPECT_EQ(Run(job, 2, {"a:-5"}), (Texts{std::to_string(kCount - 5), std::to_string(sum), std::to_string(kCount)}));
  for (std::uint64_t i = 5; i < 105; ++i) sum -= i;
  EXPECT_EQ(Run(job, 3, {"a:-100"}), (Texts{std::to_string(kCount - 105), std::to_string(sum), "0"}));
  EXPECT_EQ(Run(job, 4, {"b:9"}), Texts{});
  EXPECT_EQ(Run(job, 5, {"b:-2", "a:-1000000"}), (Texts{"0", "0", "2", "0", "0", "0"}));
  // What is left is what b has in its map.
  EXPECT_EQ(job.StateEntries().size(), 2U);
}

class OneSecond : public KeyedProcess<std::string, int, int> {
 public:
  void OnRecord(Context&, const std::string&, int value, Emit& emit) {
    emit(last_.Get(-1));
    last_.Set(value);
  }

 private:
  ValueState<int> last_{*this, "last", {.ttl = std::chrono::seconds(1)}};
};

TEST_P(ProcessTimersTest, WhatHasEndedIsGoneAtOnceAndGivenBackALittleAtATime) {
  Harness job = Make<OneSecond>(1);
  Harness::Split records;
  for (int i = 0; i < 10'000; ++i) records.push_back("k" + std::to_string(i) + ":1");
  Run(job, 0, records);
  EXPECT_EQ(Run(job, 999'999, {"k5:1"}), Texts{"1"});
  EXPECT_EQ(Run(job, 1'000'000, {"k7:1", "k5:1"}), (Texts{"-1", "1"}));
  std::size_t before = job.StateEntries().size();
  EXPECT_GT(before, 15'000U);
  int batches = 0;
  for (; before > 4; ++batches) {
    Run(job, 1'000'001 + batches, {});
    const std::size_t now = job.StateEntries().size();
    ASSERT_LT(now, before);
    ASSERT_GE(now + 2'500, before);
    before = now;
    if (batches == 3) job.Restore();
  }
  EXPECT_GE(batches, 8);
  EXPECT_EQ(Run(job, 1'500'000, {"k7:1", "k5:1", "k8:1"}), (Texts{"1", "1", "-1"}));
}

class Fails : public KeyedProcess<std::string, int, int> {
 public:
  void OnRecord(Context& ctx, const std::string&, int value, Emit&) {
    if (value == 1) throw std::domain_error("mine");
    if (value == 2) ctx.SetTimer(ctx.time());
    if (value == 3) ctx.SetEventTimer(ctx.time());
  }
  void OnTimer(Context& ctx, const std::string&, Time time, Emit&) { ctx.SetTimer(time); }
};

TEST_P(ProcessTimersTest, WhatIsWrongInABatch) {
  const auto expect = [&](const std::string& record, const std::string& text) {
    Harness job = Make<Fails>(1);
    try {
      Run(job, 1, {record});
      ADD_FAILURE() << "no error: " << text;
    } catch (const std::logic_error& e) {
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
  };
  expect("a:1", "mine");
  expect("a:2", "ctx.SetTimer in OnTimer: the new timer is not later than the one that goes off now");
  expect("a:3", "ctx.SetEventTimer: the process has no OnEventTimer");
}

INSTANTIATE_TEST_SUITE_P(Backends, ProcessTimersTest, testing::Bool(),
                         [](const auto& backend) { return backend.param ? "Stored" : "InMemory"; });

// Event time, without an exchange that brings it: a run of a process is driven by hand.
class EventAlarm : public KeyedProcess<std::string, int, std::string> {
 public:
  void OnRecord(Context& ctx, const std::string& key, int value, Emit& emit) {
    ctx.SetEventTimer(Time(Us(value)));
    if (value == 13) ctx.DeleteEventTimer(Time(Us(12)));
    emit(key + " at " + (ctx.timestamp() ? TextOfTime(*ctx.timestamp()) : "none") + " sees " +
         (ctx.watermark() == Time(Us(INT64_MIN)) ? "nothing" : TextOfTime(ctx.watermark())));
  }
  void OnEventTimer(Context& ctx, const std::string& key, Time time, Emit& emit) {
    emit(key + " timer " + TextOfTime(time) + " sees " + TextOfTime(ctx.watermark()));
    if (time.time_since_epoch() == Us(11)) ctx.SetEventTimer(time + Us(1));
  }
};

struct Collector : detail::Consumer<std::string> {
  using Consumer::Consumer;
  void Push(std::span<const std::string> chunk) override { texts.insert(texts.end(), chunk.begin(), chunk.end()); }
  Texts texts;
};

TEST(ProcessEventTime, TimersGoOffWhenTheWatermarkHasReachedThem) {
  engine::OperatorDescription description;
  description.partitions = 1;
  detail::ProcessState<EventAlarm> state({&description, 0, 128, nullptr}, [] { return EventAlarm(); });
  engine::TaskContext task;
  volatile std::uint32_t current = 0;
  const detail::OperatorSetup setup{&description, &task, nullptr, &current};
  const auto run = [&](std::int64_t before, const std::vector<std::pair<std::string, int>>& records,
                       std::int64_t after) {
    detail::Outbox<std::string> out(setup);
    Collector collector(setup);
    out.Attach(collector);
    detail::ProcessRun<EventAlarm> process(task, state.core, state.process, out);
    process.Begin(before);
    for (const auto& [key, value] : records) process.Record(HashOf(key), key, value, value - 10);
    process.End(after);
    out.Flush();
    return collector.texts;
  };
  EXPECT_EQ(run(INT64_MIN, {{"a", 12}, {"b", 11}, {"a", 13}}, INT64_MIN),
            (Texts{"a at 2 sees nothing", "b at 1 sees nothing", "a at 3 sees nothing"}));
  EXPECT_EQ(run(INT64_MIN, {{"c", 5}}, 10), (Texts{"c at -5 sees nothing", "c timer 5 sees 10"}));
  EXPECT_EQ(run(10, {{"c", 20}}, 12), (Texts{"c at 10 sees 10", "b timer 11 sees 12", "b timer 12 sees 12"}));
  EXPECT_EQ(run(12, {}, 19), (Texts{"a timer 13 sees 19"}));
  EXPECT_EQ(run(19, {}, 20), (Texts{"c timer 20 sees 20"}));
}

// ---- what is refused ----

template <int kWhat>
class Wrong : public KeyedProcess<std::string, int, int> {
 public:
  using Base = KeyedProcess<std::string, int, int>;
  Wrong() {
    if (kWhat == 5) first_.Set(1);
    if (kWhat == 6) throw std::runtime_error("not today");
  }
  void OnRecord(typename Base::Context&, const std::string&, int, typename Base::Emit&) {}

 private:
  KeyedValue<std::string, int> first_{*this, "first", {.ttl = std::chrono::seconds(kWhat == 3 ? -1 : 0)}};
  KeyedMap<std::string, int, int> second_{*this, kWhat == 1 ? "first" : kWhat == 2 ? "no/slash" : "second"};
  KeyedList<std::string, int> third_{*this, "third", {.refresh_on_read = kWhat == 4}};
};

template <class P>
void ExpectRefused(const std::string& text) {
  try {
    Harness job([](JobContext& ctx) { Pairs(ctx).Process<P>().Print(); });
    ADD_FAILURE() << "not refused: " << text;
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("Process at stateful_process_timers_test.cc:"), std::string::npos) << e.what();
  }
}

TEST(ProcessRefusals, AtPlanTime) {
  ExpectRefused<Wrong<1>>("two states are named 'first'");
  ExpectRefused<Wrong<2>>("MapState 'no/slash' has no possible name");
  ExpectRefused<Wrong<3>>("the time to live of 'first' is not possible");
  ExpectRefused<Wrong<4>>("ListState 'third' cannot refresh on read");
  ExpectRefused<Wrong<5>>("used where there is no key");
  ExpectRefused<Wrong<6>>("cannot be made: not today");
  EXPECT_THROW(Alarm(), std::logic_error);
  EXPECT_THROW(Harness([](JobContext& ctx) { Pairs(ctx).Process<Alarm>({.partitions = 0}).Print(); }),
               std::invalid_argument);
}

TEST(ProcessPlan, SaysWhatIsKept) {
  Harness job([](JobContext& ctx) {
    Pairs(ctx).Process<Wrong<0>>({.partitions = 3}).Uid("limits").Print();
    Pairs(ctx).Process<Alarm>().Print();
  });
  const engine::OperatorDescription& op = job.graph().operators[2];
  EXPECT_EQ(op.state,
            "Process millrace::(anonymous namespace)::Wrong<0> of std::string: ValueState first of int, "
            "MapState second of int to int, ListState third of int");
  EXPECT_EQ(op.uid, "limits");
  EXPECT_EQ(op.partitions, 3U);
  EXPECT_TRUE(op.stateful);
  EXPECT_EQ(job.graph().operators[6].state, "Process millrace::(anonymous namespace)::Alarm of std::string: no states");
}

}  // namespace
}  // namespace millrace
