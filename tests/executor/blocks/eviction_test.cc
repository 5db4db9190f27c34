#include "executor/blocks/eviction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

BlockId Of(std::uint64_t batch) { return {.key = {.batch = batch}}; }

TEST(ChooseVictims, TakesBlocksForRecoveryFirstThenTheNewest) {
  const std::vector<EvictionCandidate> candidates = {{Of(5), 10, Keep::kNeeded},
                                                     {Of(2), 10, Keep::kRecovery},
                                                     {Of(6), 10, Keep::kNeeded},
                                                     {Of(3), 10, Keep::kRecovery},
                                                     {Of(4), 10, Keep::kNeeded}};
  EXPECT_THAT(ChooseVictims(candidates, 1000), ElementsAre(Of(3), Of(2), Of(6), Of(5), Of(4)));
}

TEST(ChooseVictims, WhatBelongsOnDiskGoesFirstAndWhatBelongsInMemoryLast) {
  const std::vector<EvictionCandidate> candidates = {{Of(5), 10, Keep::kNeeded, Residence::kMemory},
                                                     {Of(6), 10, Keep::kNeeded, Residence::kMemory},
                                                     {Of(1), 10, Keep::kNeeded},
                                                     {Of(2), 10, Keep::kRecovery, Residence::kMemory},
                                                     {Of(3), 10, Keep::kRecovery},
                                                     {Of(4), 10, Keep::kNeeded, Residence::kDisk},
                                                     {Of(7), 10, Keep::kRecovery, Residence::kDisk}};
  EXPECT_THAT(ChooseVictims(candidates, 1000), ElementsAre(Of(7), Of(4), Of(3), Of(2), Of(1), Of(6), Of(5)));
}

TEST(ChooseVictims, StopsWhenEnoughIsFreed) {
  const std::vector<EvictionCandidate> candidates = {
      {Of(1), 10, Keep::kNeeded}, {Of(2), 10, Keep::kNeeded}, {Of(3), 10, Keep::kNeeded}};
  EXPECT_THAT(ChooseVictims(candidates, 0), IsEmpty());
  EXPECT_THAT(ChooseVictims(candidates, 10), ElementsAre(Of(3)));
  EXPECT_THAT(ChooseVictims(candidates, 11), ElementsAre(Of(3), Of(2)));
  EXPECT_THAT(ChooseVictims({}, 10), IsEmpty());
}

TEST(ChooseVictims, LeavesWhatFreesNothing) {
  EXPECT_THAT(ChooseVictims({{Of(9), 0, Keep::kRecovery}, {Of(1), 5, Keep::kNeeded}}, 5), ElementsAre(Of(1)));
}

}  // namespace
}  // namespace millrace
