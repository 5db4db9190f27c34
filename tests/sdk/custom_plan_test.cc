// What FromSource, FromReceiver and ToSink refuse when the plan is made, word for word, and what they put into it.
#include <gtest/gtest.h>

#include <regex>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

class Numbers : public CustomSource<int> {
  CustomSplits ListSplits() override { return {}; }
  std::unique_ptr<CustomReader<int>> OpenSplit(const std::string&) override { return nullptr; }
};
class Pushed : public CustomReceiver<std::string> {
  void Start(ReceiverOutput<std::string>&) override {}
  void Stop() override {}
};
class Table : public CustomSink<std::string> {
  std::unique_ptr<CustomSinkWriter<std::string>> OpenWriter(const CustomPartition&) override { return nullptr; }
};

// What the planner throws at this body; "accepted" when nothing.
std::string Refusal(const Harness::Body& body) {
  try {
    JobContext context("job", {});
    context.BatchInterval(1s);
    body(context);
    (void)context.Build();
  } catch (const std::invalid_argument& error) {
    return std::regex_replace(error.what(), std::regex("custom_plan_test.cc:[0-9]+"), "here");
  }
  return "accepted";
}

std::string RefusalOfSource(const CustomSourceOptions& options) {
  return Refusal([&](JobContext& ctx) { ctx.FromSource(std::make_shared<Numbers>(), options).Print(); });
}
std::string RefusalOfReceiver(const CustomReceiverOptions& options) {
  return Refusal([&](JobContext& ctx) {
    ctx.FromReceiver(options, [](const std::string&) { return std::make_unique<Pushed>(); }).Print();
  });
}

TEST(CustomPlanTest, FromSource) {
  EXPECT_EQ(RefusalOfSource({}), "accepted");
  EXPECT_EQ(Refusal([](JobContext& ctx) { ctx.FromSource(std::shared_ptr<Numbers>()).Print(); }),
            "FromSource at here: the source is null; pass std::make_shared<…>(…)");
  EXPECT_EQ(RefusalOfSource({.discovery_interval = 9ms}),
            "FromSource at here: option discovery_interval is below 10 ms; pass 10 ms or more");
  EXPECT_EQ(RefusalOfSource({.poll_interval = 0ms}),
            "FromSource at here: option poll_interval is below 1 ms; pass 1 ms or more");
  EXPECT_EQ(RefusalOfSource({.max_records_per_batch = 0}),
            "FromSource at here: option max_records_per_batch is 0; pass 1 or more");
  EXPECT_EQ(RefusalOfSource({.prefetch_bytes = 65535}),
            "FromSource at here: option prefetch_bytes is below 64 KiB; pass 65536 or more");
  EXPECT_EQ(
      RefusalOfSource(
          {.discovery_interval = 10ms, .poll_interval = 1ms, .max_records_per_batch = 1, .prefetch_bytes = 65536}),
      "accepted");
}

TEST(CustomPlanTest, NamesOfReceivers) {
  EXPECT_EQ(RefusalOfReceiver({}), "accepted");
  EXPECT_EQ(RefusalOfReceiver({.names = {"a", "b.c", "d e"}}), "accepted");
  EXPECT_EQ(RefusalOfReceiver({.names = {}}),
            "FromReceiver at here: option names is empty; pass one name for each receiver");
  EXPECT_EQ(RefusalOfReceiver({.names = {"a", ""}}),
            "FromReceiver at here: the receiver name '' is empty or has a comma; use another");
  EXPECT_EQ(RefusalOfReceiver({.names = {"a,b"}}),
            "FromReceiver at here: the receiver name 'a,b' is empty or has a comma; use another");
  EXPECT_EQ(RefusalOfReceiver({.names = {"a", "b", "a"}}),
            "FromReceiver at here: the receiver name 'a' is there twice; names must differ");
  EXPECT_EQ(RefusalOfReceiver({.names = {"a"}, .preferred_nodes = {{"b", "executor-1"}}}),
            "FromReceiver at here: preferred_nodes names 'b', which is no receiver's name");
}

TEST(CustomPlanTest, ToSink) {
  EXPECT_EQ(Refusal([](JobContext& ctx) {
              ctx.TextFiles({.directory = "d"}).ToSink(std::shared_ptr<Table>(), [](std::string_view text) {
                return std::string(text);
              });
            }),
            "ToSink at here: the sink is null; pass std::make_shared<…>(…)");
  EXPECT_EQ(Refusal([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).ToSink(std::shared_ptr<Table>()); }),
            "ToSink at here: the sink is null; pass std::make_shared<…>(…)");
}

TEST(CustomPlanTest, WhatThePlanHolds) {
  const Harness job([](JobContext& ctx) {
    ctx.FromSource(std::make_shared<Numbers>(), {.bounded = true, .poll_interval = 7ms}).Print();
    ctx.FromReceiver({.names = {"a", "b"}, .preferred_nodes = {{"b", "executor-2"}}},
                     [](const std::string&) { return std::make_unique<Pushed>(); })
        .ToSink(std::make_shared<Table>());
  });
  const engine::OperatorDescription& source = job.graph().operators[0];
  EXPECT_EQ(source.connector, "custom");
  EXPECT_TRUE(source.bounded);
  EXPECT_TRUE(source.replayable);
  EXPECT_FALSE(source.receiver);
  EXPECT_EQ(source.options.at("poll_ms"), "7");
  const engine::OperatorDescription& receiver = job.graph().operators[2];
  EXPECT_EQ(receiver.connector, "custom_receiver");
  EXPECT_TRUE(receiver.replayable);
  EXPECT_TRUE(receiver.receiver);
  EXPECT_EQ(receiver.options.at("receivers"), "a,b");
  EXPECT_EQ(receiver.options.at("node.b"), "executor-2");
  EXPECT_FALSE(receiver.options.contains("node.a"));
  EXPECT_EQ(job.graph().operators[3].connector, "custom");
  EXPECT_EQ(job.graph().operators[3].name, "ToSink");
}

}  // namespace
}  // namespace millrace
