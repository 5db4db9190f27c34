// Plan-time refusals, word for word, and what the plan says of each operator.
#include "millrace/internal/planner.h"

#include <gtest/gtest.h>

#include <regex>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

// What `act` throws. Line numbers, which macros blur, are replaced by N; OperatorsDescribeThemselves checks one.
template <class F>
std::string RefusalOf(const F& act) {
  try {
    act();
  } catch (const std::invalid_argument& error) {
    return std::regex_replace(error.what(), std::regex("planner_test.cc:[0-9]+"), "planner_test.cc:N");
  }
  return "accepted";
}

// What building this job throws.
std::string Refusal(const Harness::Body& body, const engine::JobParameters& parameters = {}) {
  return RefusalOf([&] {
    JobContext context("job", parameters);
    body(context);
    (void)context.Build();
  });
}

Harness::Body WithInterval(std::chrono::microseconds interval) {
  return [interval](JobContext& ctx) {
    ctx.BatchInterval(interval);
    ctx.TextFiles({.directory = "d"}).Print();
  };
}

TEST(PlannerTest, NoOutput) {
  const char* want = "the job has no output: end a stream with Print, ForEachBatch, ToKafka or ToFiles";
  EXPECT_EQ(Refusal([](JobContext& ctx) {
              ctx.BatchInterval(1s);
              ctx.TextFiles({.directory = "d"}).Count();
            }),
            want);
  EXPECT_EQ(Refusal([](JobContext& ctx) { ctx.BatchInterval(1s); }), want);
}

TEST(PlannerTest, BatchInterval) {
  EXPECT_EQ(Refusal(WithInterval(1ms)), "accepted");
  EXPECT_EQ(Refusal(WithInterval(1h)), "accepted");
  EXPECT_EQ(Refusal(WithInterval(999us)), "batch interval 999 us is outside 1 ms to 1 h: pass one of that range");
  EXPECT_EQ(Refusal(WithInterval(1h + 1us)),
            "batch interval 3600000001 us is outside 1 ms to 1 h: pass one of that range");
  EXPECT_EQ(Refusal(WithInterval(-1s)), "batch interval -1000000 us is outside 1 ms to 1 h: pass one of that range");
  EXPECT_EQ(
      Refusal([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Print(); }),
      "the job has no batch interval: call ctx.BatchInterval(std::chrono::milliseconds(500)) or pass one at submit");
  EXPECT_EQ(Refusal(WithInterval(1s), {"", {}, 5}),
            "batch interval 5 us is outside 1 ms to 1 h: pass one of that range");
}

TEST(PlannerTest, WhatSubmitGivesWins) {
  JobContext context("library", {"submitted", {}, 2'000});
  context.BatchInterval(1s);
  context.TextFiles({.directory = "d"}).Print();
  const auto program = context.Build();
  EXPECT_EQ(program->description().name, "submitted");
  EXPECT_EQ(program->description().batch_interval_us, 2'000u);
}

TEST(PlannerTest, JobNames) {
  EXPECT_EQ(Refusal(WithInterval(1s), {"Good.name_1-2", {}, 0}), "accepted");
  EXPECT_EQ(Refusal(WithInterval(1s), {"no/slash", {}, 0}),
            "job name 'no/slash' is not allowed: use 1 to 64 letters, digits, '.', '_' and '-'");
  EXPECT_EQ(Refusal(WithInterval(1s), {std::string(64, 'x'), {}, 0}), "accepted");
  EXPECT_NE(Refusal(WithInterval(1s), {std::string(65, 'x'), {}, 0}), "accepted");
  static_assert(!detail::IsJobName("") && !detail::IsJobName("a b") && !detail::IsJobName("ä"));
}

TEST(PlannerTest, Uids) {
  EXPECT_EQ(Refusal([&](JobContext& ctx) {
              ctx.BatchInterval(1s);
              const auto lines = ctx.TextFiles({.directory = "d"}).Uid("in");
              lines.Count().Uid("in").Print();
            }),
            "Count at planner_test.cc:N: uid 'in' is taken by TextFiles at planner_test.cc:N; give every operator a "
            "uid of its own");
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Print().Uid(""); }),
            "Print at planner_test.cc:N: an empty uid names nothing; pass a name or leave Uid out");
}

TEST(PlannerTest, Partitions) {
  const auto repartition = [&](std::int64_t partitions) {
    return Refusal([&](JobContext& ctx) {
      ctx.BatchInterval(1s);
      ctx.TextFiles({.directory = "d"}).Repartition(partitions).Print();
    });
  };
  EXPECT_EQ(repartition(1), "accepted");
  EXPECT_EQ(repartition(65536), "accepted");
  EXPECT_EQ(repartition(0), "Repartition at planner_test.cc:N: 0 partitions are not possible; pass 1 to 65536");
  EXPECT_EQ(repartition(65537), "Repartition at planner_test.cc:N: 65537 partitions are not possible; pass 1 to 65536");
  EXPECT_EQ(repartition(-1), "Repartition at planner_test.cc:N: -1 partitions are not possible; pass 1 to 65536");
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).CountByValue(0); }),
            "CountByValue at planner_test.cc:N: 0 partitions are not possible; pass 1 to 65536");
  EXPECT_EQ(Refusal([](JobContext& ctx) { ctx.DefaultPartitions(0); }),
            "DefaultPartitions: 0 partitions are not possible; pass 1 to 65536");
}

TEST(PlannerTest, DefaultPartitionsApplyToWhatComesAfter) {
  const Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    lines.CountByValue().Print();
    ctx.DefaultPartitions(9);
    lines.CountByValue().Print();
  });
  EXPECT_EQ(job.graph().operators[1].partitions, 4u);
  EXPECT_EQ(job.graph().operators[3].partitions, 9u);
}

TEST(PlannerTest, StreamsOfTwoContexts) {
  JobContext other("other", {});
  const auto foreign = other.TextFiles({.directory = "d"});
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Union(foreign); }),
            "Union at planner_test.cc:N: the streams are of two contexts; build both from the same JobContext");
}

TEST(PlannerTest, AfterTheBody) {
  JobContext context("job", {});
  context.BatchInterval(1s);
  const auto lines = context.TextFiles({.directory = "d"});
  lines.Print();
  (void)context.Build();
  EXPECT_EQ(
      RefusalOf([&] { lines.Count(); }),
      "Count at planner_test.cc:N: added after the job's body had returned; build the whole graph inside MILLRACE_JOB");
  EXPECT_EQ(
      RefusalOf([&] { lines.Uid("late"); }),
      "TextFiles at planner_test.cc:N: changed after the job's body had returned; name operators inside MILLRACE_JOB");
}

TEST(PlannerTest, OptionsThatMustBeGiven) {
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.KafkaText({.brokers = "h"}); }),
            "KafkaText at planner_test.cc:N: option topics is empty; it must be given");
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.SocketText({.host = "h"}); }),
            "SocketText at planner_test.cc:N: option port is 0; it must be given");
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.SocketText({}); }),
            "SocketText at planner_test.cc:N: option host is empty; it must be given");
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.SocketText({.host = "h", .port = 1, .hosts = {"i:2"}}); }),
            "SocketText at planner_test.cc:N: options host and hosts are both given; name all servers in hosts, as "
            "host:port");
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).ToKafka({.brokers = "h"}); }),
            "ToKafka at planner_test.cc:N: option topic is empty; it must be given");
  EXPECT_EQ(Refusal([&](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).ToFiles({}); }),
            "ToFiles at planner_test.cc:N: option directory is empty; it must be given");
}

TEST(PlannerTest, OperatorsDescribeThemselves) {
  const int line = __LINE__;
  const Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view t) { return std::pair(t, 1); })
        .Name("Pair up")
        .ReduceByKey([](int a, int b) { return a + b; }, 3)
        .Uid("sums")
        .Print();
  });
  const std::vector<engine::OperatorDescription>& ops = job.graph().operators;
  ASSERT_EQ(ops.size(), 4u);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(ops[i].id, i);
  EXPECT_EQ(ops[0].name, "TextFiles");
  EXPECT_EQ(ops[0].kind, engine::OperatorKind::kSource);
  EXPECT_EQ(ops[1].name, "Pair up");
  EXPECT_EQ(ops[1].kind, engine::OperatorKind::kNarrow);
  EXPECT_EQ(ops[1].output_type, "std::pair<std::string_view, int>");
  EXPECT_EQ(ops[1].location, "planner_test.cc:" + std::to_string(line + 3));
  EXPECT_EQ(ops[2].name, "ReduceByKey");
  EXPECT_EQ(ops[2].uid, "sums");
  EXPECT_EQ(ops[2].kind, engine::OperatorKind::kShuffle);
  EXPECT_EQ(ops[2].inputs, std::vector<std::uint32_t>{1});
  EXPECT_EQ(ops[2].output_type, "std::pair<std::string, int>");
  EXPECT_EQ(ops[2].partitions, 3u);
  EXPECT_TRUE(ops[2].combine);
  EXPECT_EQ(ops[3].kind, engine::OperatorKind::kSink);
}

}  // namespace
}  // namespace millrace
