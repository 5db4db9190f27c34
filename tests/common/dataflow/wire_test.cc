#include "common/dataflow/wire.h"

#include <gtest/gtest.h>

#include "common/status.h"

namespace millrace {
namespace {

v1::Plan WordCount() {
  v1::Plan plan;
  plan.set_name("wc");
  plan.set_batch_interval_us(100'000);
  plan.set_fingerprint(7);
  auto* source = plan.add_operators();
  source->set_kind(v1::OPERATOR_KIND_SOURCE);
  source->set_name("KafkaText");
  source->mutable_source()->set_connector("kafka");
  source->mutable_source()->set_replayable(true);
  (*source->mutable_source()->mutable_options())["topics"] = "lines";
  auto* shuffle = plan.add_operators();
  shuffle->set_id(1);
  shuffle->set_kind(v1::OPERATOR_KIND_SHUFFLE);
  shuffle->set_name("ReduceByKey");
  shuffle->set_location("wc.cc:9");
  shuffle->add_inputs(0);
  shuffle->mutable_shuffle()->set_partitions(2);
  auto* sink = plan.add_operators();
  sink->set_id(2);
  sink->set_kind(v1::OPERATOR_KIND_SINK);
  sink->set_name("Print");
  sink->add_inputs(1);
  auto* map = plan.add_stages();
  map->set_root(0);
  map->add_shuffles(1);
  auto* reduce = plan.add_stages();
  reduce->set_id(1);
  reduce->set_root(1);
  reduce->add_sinks(2);
  return plan;
}

std::string Refusal(const v1::Plan& plan) { return Message(wire::FromProto(plan).status()); }

TEST(Wire, ReadsAPlan) {
  const auto plan = wire::FromProto(WordCount());
  ASSERT_TRUE(plan.ok()) << Message(plan.status());
  EXPECT_EQ(plan->name, "wc");
  ASSERT_EQ(plan->sources.size(), 1U);
  EXPECT_EQ(plan->sources[0].description, "kafka topics=lines");
  ASSERT_EQ(plan->stages.size(), 2U);
  EXPECT_TRUE(plan->stages[0].reads_source);
  EXPECT_EQ(plan->stages[1].partitions, 2U);
  EXPECT_EQ(plan->stages[1].upstream, std::vector<std::uint32_t>{0});
  EXPECT_EQ(plan->Label(1), "ReduceByKey at wc.cc:9");
}

TEST(Wire, RefusesPlansThatContradictThemselves) {
  v1::Plan plan = WordCount();
  plan.mutable_stages(1)->clear_sinks();
  EXPECT_NE(Refusal(plan).find("has no output"), std::string::npos) << Refusal(plan);

  plan = WordCount();
  plan.set_batch_interval_us(10);
  EXPECT_NE(Refusal(plan).find("batch interval 10 us"), std::string::npos) << Refusal(plan);

  plan = WordCount();
  plan.mutable_operators(1)->mutable_shuffle()->set_partitions(0);
  EXPECT_NE(Refusal(plan).find("ReduceByKey at wc.cc:9 has 0 partitions"), std::string::npos) << Refusal(plan);

  plan = WordCount();
  plan.mutable_operators(1)->set_inputs(0, 2);
  EXPECT_NE(Refusal(plan).find("reads operator 2, which is not before it"), std::string::npos) << Refusal(plan);

  plan = WordCount();
  plan.mutable_stages(0)->clear_shuffles();
  EXPECT_NE(Refusal(plan).find("nothing writes the shuffle of stage 1"), std::string::npos) << Refusal(plan);

  plan = WordCount();
  plan.mutable_stages(0)->set_root(99);
  EXPECT_NE(Refusal(plan).find("stage 0 has no root"), std::string::npos) << Refusal(plan);
}

const Range kRange{{3, "lines-0"}, 4, "10", "20", 10, true};

TEST(Wire, WorkGoesThereAndBack) {
  const BatchWork work{9, {{7, 700, {kRange}, 77}}, {8, 800, 5, {{{3, "lines-0"}, 4, "20", 100}}}, 6, 4, 5, {"old"}};
  v1::BatchWork message;
  wire::ToProto(work, &message);
  const BatchWork back = wire::FromProto(message);
  EXPECT_EQ(back.route_version, 9U);
  EXPECT_EQ(back.committed, 6U);
  EXPECT_EQ(back.checkpointed, 4U);
  EXPECT_EQ(back.checkpoint, 5U);
  EXPECT_EQ(back.garbage, work.garbage);
  ASSERT_EQ(back.go.size(), 1U);
  EXPECT_EQ(back.go[0].batch, 7U);
  EXPECT_EQ(back.go[0].batch_time_us, 700);
  EXPECT_EQ(back.go[0].ranges_hash, 77U);
  EXPECT_EQ(back.go[0].ranges, std::vector<Range>{kRange});
  EXPECT_EQ(back.cut.batch, 8U);
  EXPECT_EQ(back.cut.after_us, 5);
  ASSERT_EQ(back.cut.splits.size(), 1U);
  EXPECT_EQ(back.cut.splits[0].key, (SplitKey{3, "lines-0"}));
  EXPECT_EQ(back.cut.splits[0].start, "20");
  EXPECT_EQ(back.cut.splits[0].max_records, 100U);
  EXPECT_EQ(back.cut.splits[0].ordinal, 4U);
}

TEST(Wire, RouteGoesThereAndBack) {
  const Route route{5, {{"r1", "a:1"}, {"r2", "b:2"}}, {{{3, "lines-0"}, 4, 1}}, {{{1, 0}, 0}}, 7, {{{1, 0}, {{"base", 100, 3, true}, {"delta", 10, 1, false}}}}};
  v1::Route message;
  wire::ToProto(route, &message);
  const auto back = wire::FromProto(message);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->version, 5U);
  EXPECT_EQ(back->peers[1].block_address, "b:2");
  EXPECT_EQ(back->splits[0].peer, 1U);
  EXPECT_EQ(back->splits[0].ordinal, 4U);
  EXPECT_EQ(back->partitions[0].key, (TaskKey{1, 0}));
  EXPECT_EQ(back->checkpoint, 7U);
  EXPECT_EQ(back->state, route.state);
}

TEST(Wire, ARouteToNobodyIsRefused) {
  v1::Route message;
  message.add_peers()->set_runner_id("r1");
  message.add_splits()->set_peer(1);
  EXPECT_TRUE(absl::IsInvalidArgument(wire::FromProto(message).status()));
}

TEST(Wire, ReportsGoThereAndBack) {
  v1::RangeReport ranges;
  wire::ToProto(RangeReport{7, {kRange}}, &ranges);
  EXPECT_EQ(wire::FromProto(ranges).ranges, std::vector<Range>{kRange});

  v1::BatchDone done;
  wire::ToProto(BatchDone{7, {{1, 2}}, 3}, &done);
  EXPECT_EQ(wire::FromProto(done).tasks, (std::vector<TaskKey>{{1, 2}}));
  EXPECT_EQ(wire::FromProto(done).lost_records, 3U);

  v1::TaskFailure failure;
  wire::ToProto(TaskFailure{7, {1, 2}, 8, 9, "why", true}, &failure);
  const TaskFailure f = wire::FromProto(failure);
  EXPECT_EQ(f.task, (TaskKey{1, 2}));
  EXPECT_EQ(f.version, 8U);
  EXPECT_EQ(f.op, 9U);
  EXPECT_EQ(f.error, "why");
  EXPECT_TRUE(f.permanent);

  v1::SplitReport splits;
  wire::ToProto(SplitReport{3, {{"lines-0", "10"}}, "", false, true}, &splits);
  const SplitReport s = wire::FromProto(splits);
  EXPECT_EQ(s.splits[0].start, "10");
  EXPECT_TRUE(s.complete);
}

}  // namespace
}  // namespace millrace
