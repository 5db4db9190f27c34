// EventClocks: the rules of the watermark one by one, and its moves: between backends' forms, and to another number of
// partitions.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/internal/event_exchange.h"
#include "tests/sdk/map_store.h"

namespace millrace::detail {
namespace {

constexpr std::uint32_t kGroups = 16;

std::unique_ptr<EventState> MakeState(engine::OperatorDescription& description, std::uint32_t partition,
                                      engine::StateStore* store = nullptr) {
  description.uid = "u";
  return std::make_unique<EventState>(StateSetup{&description, partition, kGroups, store});
}

void Report(EventState& state, std::uint32_t partition, std::int64_t watermark_us, std::int64_t idle_at_us = kNeverIdle,
            std::uint32_t stage = 0, std::uint32_t origin = 3) {
  EventHeader header;
  header.stage = stage;
  header.partition = partition;
  header.clocks.push_back({origin, watermark_us != kNoWatermark, watermark_us, idle_at_us});
  state.clocks.Report(header);
}

TEST(EventClocksTest, TheSmallestInputDecidesAndNothingGoesBack) {
  engine::OperatorDescription description;
  description.partitions = 1;
  const auto state = MakeState(description, 0);
  EXPECT_EQ(state->clocks.watermark_us(), kNoWatermark);
  state->clocks.Advance(0);
  EXPECT_EQ(state->clocks.watermark_us(), kNoWatermark);
  const auto batch = [&](std::int64_t a, std::int64_t b) {
    Report(*state, 0, a);
    Report(*state, 1, b);
    state->clocks.Advance(0);
    return state->clocks.watermark_us();
  };
  EXPECT_EQ(batch(5, kNoWatermark), kNoWatermark);
  EXPECT_EQ(batch(5, -8), -8);
  EXPECT_EQ(batch(3, 9), 5);  // an input does not go back
  EXPECT_EQ(batch(7, kNoWatermark), 7);
}

TEST(EventClocksTest, StagesOriginsAndPartitionsAreDifferentInputs) {
  engine::OperatorDescription description;
  description.partitions = 1;
  const auto state = MakeState(description, 0);
  Report(*state, 0, 10, kNeverIdle, 0, 3);
  Report(*state, 0, 20, kNeverIdle, 0, 4);
  Report(*state, 0, 30, kNeverIdle, 1, 3);
  state->clocks.Advance(0);
  EXPECT_EQ(state->clocks.watermark_us(), 10);
  Report(*state, 0, 20, kNeverIdle, 0, 4);  // the first has ended
  Report(*state, 0, 30, kNeverIdle, 1, 3);
  state->clocks.Advance(0);
  EXPECT_EQ(state->clocks.watermark_us(), 20);
}

TEST(EventClocksTest, IdleInputsDoNotCount) {
  engine::OperatorDescription description;
  description.partitions = 1;
  const auto state = MakeState(description, 0);
  const auto batch = [&](std::int64_t now, std::int64_t a, std::int64_t b) {
    Report(*state, 0, a, now + 100);
    Report(*state, 1, b, now + 200);
    state->clocks.Advance(now);
    return state->clocks.watermark_us();
  };
  EXPECT_EQ(batch(1000, 10, kNoWatermark), kNoWatermark);
  EXPECT_EQ(state->clocks.idle_at_us(), 1200);
  EXPECT_EQ(batch(1099, 20, kNoWatermark), kNoWatermark);
  EXPECT_EQ(batch(1198, 30, kNoWatermark), kNoWatermark);
  EXPECT_EQ(batch(1200, 40, kNoWatermark), 40);  // the second has had its 200
  EXPECT_EQ(batch(1201, 50, 45), 45);
  EXPECT_EQ(batch(1300, 60, kNoWatermark), 45);
  EXPECT_EQ(batch(1401, 70, kNoWatermark), 70);
  EXPECT_EQ(batch(1501, kNoWatermark, kNoWatermark), 70);  // all are idle
  EXPECT_EQ(state->clocks.idle_at_us(), 1501);
}

TEST(EventClocksTest, EveryKeyGroupBringsTheClocksAlong) {
  // Two partitions become three: each of them, whatever groups it gets, goes on from the same clocks.
  engine::OperatorDescription two;
  two.partitions = 2;
  std::map<std::string, std::string> entries;
  for (std::uint32_t partition = 0; partition < 2; ++partition) {
    const auto state = MakeState(two, partition);
    Report(*state, 0, 10, 500);
    Report(*state, 1, 12, 600);
    state->clocks.Advance(0);
    MapChanges changes(entries);
    state->TakeChanges(changes);
    EXPECT_FALSE(state->TakeMore(1'000));
    std::map<std::string, std::string> again;
    MapChanges no_changes(again);
    state->TakeChanges(no_changes);
    EXPECT_FALSE(state->TakeMore(1'000));
    EXPECT_TRUE(again.empty());
  }
  EXPECT_EQ(entries.size(), kGroups);

  engine::OperatorDescription three;
  three.partitions = 3;
  for (std::uint32_t partition = 0; partition < 3; ++partition) {
    const auto state = MakeState(three, partition);
    MapStore store;
    for (const auto& [key, value] : entries) {
      const std::string_view rest = std::string_view(key).substr(2);  // without the uid
      const std::string_view group = rest.substr(rest.size() - 2);
      const std::uint32_t number = static_cast<unsigned char>(group[0]) * 256u + static_cast<unsigned char>(group[1]);
      if (PartitionOfGroup(number, kGroups, 3) != partition) continue;
      state->Load(rest, value);
      store.entries[key] = value;
    }
    state->Loaded();
    const auto stored = MakeState(three, partition, &store);
    stored->Loaded();
    for (EventState* one : {state.get(), stored.get()}) {
      EXPECT_EQ(one->clocks.watermark_us(), 10);
      EXPECT_EQ(one->clocks.idle_at_us(), 600);
      Report(*one, 0, kNoWatermark, 9000);
      Report(*one, 1, 14, 9000);
      one->clocks.Advance(500);
      EXPECT_EQ(one->clocks.watermark_us(), 14);  // the first is idle at 500, as it was to be
    }
  }
}

TEST(EventClocksTest, DamagedEntriesAreFound) {
  engine::OperatorDescription description;
  description.partitions = 1;
  const auto state = MakeState(description, 0);
  const auto load = [&](std::string_view key, std::string_view value) {
    state->Load(std::string("clocks\0", 7) + std::string(key), value);
  };
  EXPECT_THROW(load("abc", ""), CodecError);
  EXPECT_THROW(load(std::string_view("\0\0", 2), ""), CodecError);
  EXPECT_THROW(load(std::string_view("\0\0", 2), "\x02\x05\x01"), CodecError);
}

}  // namespace
}  // namespace millrace::detail
