#include "executor/runner/core/block_index.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::runner {
namespace {

TEST(BlockIndex, BlocksOfOneKeyAndDifferentInputsLiveSideBySide) {
  BlockIndex index;
  index.Add({{1, 1, 0, 0, 0}, 7}, false);
  index.Add({{1, 1, 0, 0, 0}, 8}, false);
  EXPECT_TRUE(index.Has({1, 1, 0, 0, 0}, 7));
  EXPECT_TRUE(index.Has({1, 1, 0, 0, 0}, 8));
  EXPECT_FALSE(index.Has({1, 1, 0, 0, 0}, 9));
  EXPECT_FALSE(index.Has({1, 1, 0, 0, 1}, 7));
}

TEST(BlockIndex, WhatWasMadeHereStaysSoWhenItComesBack) {
  BlockIndex index;
  index.Add({{1, 1, 0, 0, 0}, 7}, true);
  index.Add({{1, 1, 0, 0, 0}, 7}, false);
  index.Add({{1, 1, 0, 1, 0}, 7}, false);
  std::vector<BlockKey> produced;
  index.ForEachProduced([&](const MadeBlock& block) { produced.push_back(block.key); });
  EXPECT_EQ(produced, (std::vector<BlockKey>{{1, 1, 0, 0, 0}}));
}

TEST(BlockIndex, DropsBatchesUpToOne) {
  BlockIndex index;
  for (std::uint64_t batch = 1; batch <= 3; ++batch) index.Add({{batch, 1, 9, 9, 9}, 7}, true);
  index.DropThrough(2);
  EXPECT_EQ(index.size(), 1u);
  EXPECT_TRUE(index.Has({3, 1, 9, 9, 9}, 7));
}

}  // namespace
}  // namespace millrace::runner
