#include "driver/jobs/carry_over.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"

namespace millrace {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// source 'in' → state 'counts' → sink.
v1::Plan MakePlan(const std::string& uid = "counts", const std::string& state = "counts of text") {
  v1::Plan plan;
  plan.set_batch_interval_us(100'000);
  plan.set_checkpoint_interval_us(1'000'000);
  v1::Operator& source = *plan.add_operators();
  source.set_uid("in");
  source.set_kind(v1::OPERATOR_KIND_SOURCE);
  source.mutable_source()->set_connector("kafka");
  v1::Operator& keep = *plan.add_operators();
  keep.set_id(1);
  keep.set_uid(uid);
  keep.set_kind(v1::OPERATOR_KIND_SHUFFLE);
  keep.set_name("UpdateStateByKey");
  keep.set_location("job.cc:7");
  keep.mutable_shuffle()->set_partitions(2);
  keep.mutable_state()->set_description(state);
  keep.mutable_state()->set_key_groups(128);
  keep.set_period(1);
  v1::Stage& map = *plan.add_stages();
  map.add_shuffles(1);
  v1::Stage& reduce = *plan.add_stages();
  reduce.set_id(1);
  reduce.set_root(1);
  reduce.set_partitions(2);
  reduce.set_stateful(true);
  return plan;
}

JobSnapshot MakeSnapshot() {
  JobSnapshot old;
  old.splits = {{{0, "lines-0"}, 0, "500", false}};
  old.last_batch = old.committed = 40;
  old.last_batch_time_us = 4'000'000;
  old.checkpoint = {40, {{{1, 0}, {{"a", 1, 1, true}}}, {{1, 1}, {{"b", 1, 1, true}}}}};
  return old;
}

std::string Refusal(const v1::Plan& before, const JobSnapshot& old, const v1::Plan& after) {
  const auto first = CarryOver("j-1", before, old, after);
  return first.ok() ? "" : Message(first.status());
}

TEST(CarryOver, StateAndPositionsAreFoundByUidWhereverTheyHaveMoved) {
  v1::Plan after = MakePlan();
  // A stage has come in front: the operator is the third now, its stage the third.
  after.add_operators()->CopyFrom(after.operators(1));
  after.mutable_operators(1)->set_uid("new");
  after.mutable_operators(2)->set_id(2);
  after.add_stages()->CopyFrom(after.stages(1));
  after.mutable_stages(2)->set_id(2);
  after.mutable_stages(2)->set_root(2);
  const auto first = CarryOver("j-1", MakePlan(), MakeSnapshot(), after);
  ASSERT_TRUE(first.ok()) << Message(first.status());
  EXPECT_EQ(first->note, "");
  EXPECT_EQ(first->snapshot.last_batch, 40u);
  EXPECT_EQ(first->snapshot.committed, 40u);
  EXPECT_EQ(first->snapshot.splits.front().position, "500");
  EXPECT_EQ(first->snapshot.checkpoint.batch, 40u);
  ASSERT_EQ(first->snapshot.checkpoint.chains.size(), 2u);
  EXPECT_EQ(first->snapshot.checkpoint.chains.at({2, 1}).front().name, "b");
}

TEST(CarryOver, TheDifferenceIsToldLineByLine) {
  EXPECT_THAT(Refusal(MakePlan(), MakeSnapshot(), MakePlan("sums")),
              AllOf(HasSubstr("- UpdateStateByKey 'counts' at job.cc:7 keeps counts of text"), HasSubstr("(.Uid)")));
  EXPECT_THAT(Refusal(MakePlan(), MakeSnapshot(), MakePlan("counts", "counts of numbers")),
              HasSubstr("its state was counts of text and is now counts of numbers"));
  v1::Plan after = MakePlan();
  after.mutable_operators(1)->mutable_shuffle()->set_partitions(3);
  after.mutable_operators(0)->set_uid("other");
  EXPECT_THAT(Refusal(MakePlan(), MakeSnapshot(), after),
              AllOf(HasSubstr("the number of partitions was 2 and is now 3"), HasSubstr("- source")));
}

TEST(CarryOver, WindowsDoNotSurviveAnotherBatchInterval) {
  v1::Plan before = MakePlan();
  before.mutable_operators(1)->set_window(10);
  v1::Plan after = before;
  after.set_batch_interval_us(200'000);
  EXPECT_THAT(Refusal(before, MakeSnapshot(), after), HasSubstr("the batch interval was 100000 us"));
}

Range MakeRange(int start, int end) { return {{0, "lines-0"}, 0, Concat(start), Concat(end), 1, false}; }

// What came after the newest checkpoint is read again, and the numbers of its batches are used again.
TEST(CarryOver, AJobThatEndedBadlyIsGoneOnFromItsCheckpoint) {
  JobSnapshot old = MakeSnapshot();
  old.checkpoint.batch = 37;
  old.committed = 39;
  old.splits.push_back({{0, "lines-1"}, 1, "70", true});
  old.pending = {{38, 3'800'000, {MakeRange(300, 350)}},
                 {39, 3'900'000, {MakeRange(350, 400), {{0, "lines-1"}, 1, "60", "70", 1, true}}},
                 {40, 4'000'000, {MakeRange(400, 500)}}};
  const auto first = CarryOver("j-1", MakePlan(), old, MakePlan());
  ASSERT_TRUE(first.ok()) << Message(first.status());
  EXPECT_EQ(first->snapshot.last_batch, 37u);
  EXPECT_EQ(first->snapshot.committed, 37u);
  EXPECT_EQ(first->snapshot.last_batch_time_us, 3'700'000);
  EXPECT_EQ(first->snapshot.checkpoint.batch, 37u);
  EXPECT_EQ(first->snapshot.splits[0].position, "300");
  EXPECT_EQ(first->snapshot.splits[1].position, "60");
  EXPECT_FALSE(first->snapshot.splits[1].finished);
  EXPECT_TRUE(first->snapshot.pending.empty());
  EXPECT_THAT(first->note,
              AllOf(HasSubstr("goes on after batch 37 of j-1"), HasSubstr("batches 38 to 40 may come again")));
}

TEST(CarryOver, WithoutStateItIsGoneOnFromTheLastCommittedBatch) {
  v1::Plan plan = MakePlan();
  plan.set_checkpoint_interval_us(0);
  plan.mutable_stages(1)->set_stateful(false);
  plan.mutable_operators(1)->clear_state();
  JobSnapshot old = MakeSnapshot();
  old.checkpoint = {};
  old.committed = 39;
  old.pending = {{40, 4'000'000, {MakeRange(400, 500)}}};
  const auto first = CarryOver("j-1", plan, old, plan);
  ASSERT_TRUE(first.ok()) << Message(first.status());
  EXPECT_EQ(first->snapshot.last_batch, 39u);
  EXPECT_EQ(first->snapshot.splits[0].position, "400");
}

TEST(CarryOver, StateThatWasNeverSavedCannotBeGoneOnFrom) {
  JobSnapshot old = MakeSnapshot();
  old.checkpoint = {};
  EXPECT_THAT(Refusal(MakePlan(), old, MakePlan()), HasSubstr("without a checkpoint of its state"));
}

}  // namespace
}  // namespace millrace
