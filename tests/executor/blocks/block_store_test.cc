#include "executor/blocks/block_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <thread>

#include "tests/common/eventually.h"
#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::ScratchDirectory;
using testing::SmallDisk;

constexpr std::size_t kBlock = 64 << 10;
constexpr std::uint64_t kBudget = 4 << 20;

BlockKey KeyOf(std::uint64_t batch, std::uint32_t map) { return {.batch = batch, .shuffle = 1, .map_partition = map}; }

BlockId IdOf(std::uint64_t batch, std::uint32_t map) { return {KeyOf(batch, map), batch * 7}; }

// Incompressible, and different for every key.
std::string DataOf(const BlockKey& key, std::size_t size = kBlock) {
  std::mt19937_64 random(key.batch * 1000 + key.map_partition);
  std::string data(size, '\0');
  for (char& c : data) c = static_cast<char>(random());
  return data;
}

std::shared_ptr<const Block> BlockOf(const BlockKey& key, std::size_t size = kBlock) {
  return MakeBlock(key, key.batch * 7, 3, DataOf(key, size));
}

absl::Status Fill(BlockStore& store, std::uint64_t first_batch, std::uint64_t last_batch, std::uint32_t maps,
                  std::size_t size = kBlock) {
  for (std::uint64_t batch = first_batch; batch <= last_batch; ++batch) {
    for (std::uint32_t map = 0; map < maps; ++map) {
      if (absl::Status status = store.Put(BlockOf(KeyOf(batch, map), size), Keep::kNeeded); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

void ExpectWhole(BlockStore& store, std::uint64_t first_batch, std::uint64_t last_batch, std::uint32_t maps) {
  for (std::uint64_t batch = first_batch; batch <= last_batch; ++batch) {
    for (std::uint32_t map = 0; map < maps; ++map) {
      const auto block = store.Get(IdOf(batch, map));
      ASSERT_TRUE(block.ok()) << block.status();
      ASSERT_TRUE(VerifyBlock(**block).ok());
      ASSERT_EQ((*block)->data, DataOf(KeyOf(batch, map)));
      ASSERT_EQ((*block)->input_hash, batch * 7);
      ASSERT_EQ((*block)->records, 3u);
    }
  }
}

TEST(BlockStore, KeepsBlocksInMemoryWithoutACopy) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir / "blocks", .memory_budget_bytes = kBudget});
  const auto block = BlockOf(KeyOf(1, 0));
  ASSERT_TRUE(store.Put(block, Keep::kNeeded).ok());
  ASSERT_TRUE(store.Put(BlockOf(KeyOf(1, 0)), Keep::kNeeded).ok()) << "twice is harmless";
  EXPECT_EQ(*store.Get(IdOf(1, 0)), block);
  EXPECT_TRUE(store.Contains(IdOf(1, 0)));
  EXPECT_FALSE(store.Contains(IdOf(1, 1)));
  EXPECT_TRUE(absl::IsNotFound(store.Get(IdOf(1, 1)).status()));
  const BlockStoreStats stats = store.Stats();
  EXPECT_EQ(stats.blocks, 1u);
  EXPECT_GE(stats.memory_bytes, kBlock);
  EXPECT_EQ(stats.disk_bytes, 0u);
  EXPECT_FALSE(std::filesystem::exists(dir / "blocks")) << "no file before it is needed";
}

TEST(BlockStore, BlocksOfOnePlaceAndDifferentInputsLiveSideBySide) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  const std::string old_cut(kBlock, 'o'), new_cut(kBlock, 'n');
  ASSERT_TRUE(store.Put(MakeBlock(KeyOf(50, 0), 2, 1, new_cut), Keep::kNeeded).ok());
  ASSERT_TRUE(store.Put(MakeBlock(KeyOf(50, 0), 1, 1, old_cut), Keep::kNeeded).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ((*store.Get({KeyOf(50, 0), 1}))->data, old_cut);
    EXPECT_EQ((*store.Get({KeyOf(50, 0), 2}))->data, new_cut);
    EXPECT_FALSE(store.Contains({KeyOf(50, 0), 3}));
    EXPECT_EQ((*store.Get(KeyOf(50, 0)))->data, old_cut) << "the one that was put last";
    ASSERT_TRUE(Fill(store, 1, 3, 32).ok());  // sends both to disk
  }
  store.DropThrough(50);
  EXPECT_EQ(store.Stats().blocks, 0u);
}

TEST(BlockStore, TheFirstBlockOfAnIdStaysAndADifferentOneIsCounted) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  ASSERT_TRUE(store.Put(MakeBlock(KeyOf(1, 0), 1, 1, "first"), Keep::kNeeded).ok());
  ASSERT_TRUE(store.Put(MakeBlock(KeyOf(1, 0), 1, 1, "first"), Keep::kNeeded).ok());
  EXPECT_EQ(store.Stats().differing, 0u);
  ASSERT_TRUE(store.Put(MakeBlock(KeyOf(1, 0), 1, 1, "second"), Keep::kNeeded).ok());
  EXPECT_EQ((*store.Get({KeyOf(1, 0), 1}))->data, "first");
  EXPECT_EQ(store.Stats().differing, 1u);
  EXPECT_EQ(store.Stats().blocks, 1u);
}

TEST(BlockStore, MovesToDiskWhatMemoryDoesNotHold) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  ASSERT_TRUE(Fill(store, 1, 10, 32).ok());  // 20 MiB
  const BlockStoreStats stats = store.Stats();
  EXPECT_EQ(stats.blocks, 320u);
  EXPECT_GT(stats.spilled, 200u);
  EXPECT_GT(stats.disk_bytes, 10u << 20);
  EXPECT_LT(stats.memory_bytes, kBudget + (1 << 20));
  EXPECT_THAT(store.Problem(), IsEmpty());
  ExpectWhole(store, 1, 10, 32);
  EXPECT_EQ(store.Stats().corrupt, 0u);
}

TEST(BlockStore, BlocksThatBelongOnDiskGoThereWhateverTheBudget) {
  ScratchDirectory dir;
  BlockStore store(
      {.dir = dir.path(), .memory_budget_bytes = std::uint64_t{1} << 30, .residence = {{1, Residence::kDisk}}});
  ASSERT_TRUE(Fill(store, 1, 1, 32).ok());
  EXPECT_EQ(store.Stats().spilled, 0u) << "2 MiB wait for more";
  ASSERT_TRUE(Fill(store, 1, 10, 32).ok());
  EXPECT_GT(store.Stats().spilled, 200u);
  EXPECT_LT(store.Stats().memory_bytes, std::uint64_t{16} << 20) << "what waits, and the database's buffers";
  ExpectWhole(store, 1, 10, 32);
  store.DropThrough(10);
  EXPECT_EQ(store.Stats().blocks, 0u);
  // Blocks of another shuffle are not touched, and empty ones have nothing to move.
  for (std::uint32_t map = 0; map < 200; ++map) {
    ASSERT_TRUE(store
                    .Put(MakeBlock({.batch = 11, .shuffle = 2, .map_partition = map}, 1, 1, std::string(kBlock, 'x')),
                         Keep::kNeeded)
                    .ok());
    ASSERT_TRUE(store.Put(MakeBlock({.batch = 11, .shuffle = 1, .map_partition = map}, 1, 0, ""), Keep::kNeeded).ok());
  }
  EXPECT_EQ(store.Stats().spilled, 320u);
}

TEST(BlockStore, BlocksThatBelongInMemoryStayThereAsLongAsOthersCanGo) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget, .residence = {{1, Residence::kMemory}}});
  std::vector<std::shared_ptr<const Block>> kept;
  for (std::uint32_t map = 0; map < 32; ++map) {  // 2 MiB, of the newest batch
    kept.push_back(BlockOf(KeyOf(99, map)));
    ASSERT_TRUE(store.Put(kept.back(), Keep::kNeeded).ok());
  }
  for (std::uint32_t map = 0; map < 200; ++map) {
    ASSERT_TRUE(store
                    .Put(MakeBlock({.batch = 1, .shuffle = 2, .map_partition = map}, 1, 1, std::string(kBlock, 'x')),
                         Keep::kNeeded)
                    .ok());
  }
  EXPECT_GT(store.Stats().spilled, 100u);
  for (std::uint32_t map = 0; map < 32; ++map) EXPECT_EQ(*store.Get(IdOf(99, map)), kept[map]) << "read from disk";
  // Alone they go to disk as others do: nothing is refused.
  ASSERT_TRUE(Fill(store, 100, 110, 32).ok());
  ExpectWhole(store, 100, 110, 32);
}

TEST(BlockStore, DropThroughTakesBatchesFromMemoryAndDisk) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  ASSERT_TRUE(Fill(store, 1, 10, 32).ok());
  store.DropThrough(4);
  EXPECT_EQ(store.Stats().blocks, 192u);
  EXPECT_FALSE(store.Contains(IdOf(4, 31)));
  EXPECT_TRUE(absl::IsNotFound(store.Get(IdOf(4, 31)).status()));
  ExpectWhole(store, 5, 10, 32);
  ASSERT_TRUE(Fill(store, 11, 12, 32).ok());
  ExpectWhole(store, 5, 12, 32);
  store.DropThrough(std::numeric_limits<std::uint64_t>::max());
  const BlockStoreStats stats = store.Stats();
  EXPECT_EQ(stats.blocks, 0u);
  EXPECT_EQ(stats.memory_bytes, 0u);
  EXPECT_EQ(stats.disk_bytes, 0u);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path())) << "space on disk is given back at once";
  ASSERT_TRUE(Fill(store, 20, 24, 32).ok());
  ExpectWhole(store, 20, 24, 32);
}

TEST(BlockStore, DiskSpaceDoesNotGrowWithTime) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  std::uint64_t most = 0;
  for (std::uint64_t batch = 1; batch <= 60; ++batch) {
    ASSERT_TRUE(Fill(store, batch, batch, 32).ok());
    if (batch > 8) store.DropThrough(batch - 8);  // 16 MiB are live
    most = std::max(most, store.Stats().disk_bytes);
  }
  EXPECT_LT(most, 64u << 20);
  ExpectWhole(store, 53, 60, 32);
}

TEST(BlockStore, BlocksForRecoveryLeaveMemoryFirst) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  ASSERT_TRUE(Fill(store, 1, 2, 20).ok());
  store.KeepOnlyForRecovery(1);
  ASSERT_TRUE(Fill(store, 3, 3, 30).ok());
  const auto before = store.Get(IdOf(2, 0));
  EXPECT_EQ(*store.Get(IdOf(2, 0)), *before) << "still in memory: the same object";
  EXPECT_NE(*store.Get(IdOf(1, 19)), *store.Get(IdOf(1, 19))) << "read from disk each time";
}

TEST(BlockStore, RemovesWhatAFormerProcessLeft) {
  ScratchDirectory dir;
  std::filesystem::create_directories(dir / "spill-3/sub");
  std::ofstream(dir / "spill-3/000001.sst") << "old";
  std::ofstream(dir / "another file") << "not ours";
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  EXPECT_FALSE(std::filesystem::exists(dir / "spill-3"));
  EXPECT_TRUE(std::filesystem::exists(dir / "another file"));
}

TEST(BlockStore, ABlockThatWasBadBeforeItWasStoredIsFound) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  auto bad = std::make_shared<Block>(*BlockOf(KeyOf(9, 9)));
  bad->data[5] = static_cast<char>(bad->data[5] ^ 1);
  ASSERT_TRUE(store.Put(bad, Keep::kRecovery).ok());
  ASSERT_TRUE(Fill(store, 1, 3, 32).ok());
  const auto block = store.Get(IdOf(9, 9));
  EXPECT_TRUE(absl::IsDataLoss(block.status())) << block.status();
  EXPECT_THAT(Message(block.status()), HasSubstr("batch 9"));
  EXPECT_FALSE(store.Contains(IdOf(9, 9)));
  EXPECT_EQ(store.Stats().corrupt, 1u);
  ASSERT_TRUE(store.Put(BlockOf(KeyOf(9, 9)), Keep::kNeeded).ok());
  EXPECT_TRUE(store.Get(IdOf(9, 9)).ok());
}

TEST(BlockStore, DamagedFilesAreFoundAndOnlyTheirBlocksLost) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  ASSERT_TRUE(Fill(store, 1, 6, 32).ok());
  int damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 3));
    file.write("damaged!", 8);
    ++damaged;
  }
  ASSERT_GT(damaged, 0);
  int lost = 0;
  for (std::uint64_t batch = 1; batch <= 6; ++batch) {
    for (std::uint32_t map = 0; map < 32; ++map) {
      const auto block = store.Get(IdOf(batch, map));
      if (block.ok()) {
        EXPECT_EQ((*block)->data, DataOf(KeyOf(batch, map)));
      } else {
        EXPECT_TRUE(absl::IsDataLoss(block.status())) << block.status();
        EXPECT_FALSE(store.Contains(IdOf(batch, map)));
        ++lost;
      }
    }
  }
  EXPECT_GT(lost, 0);
  EXPECT_LT(lost, 50);
  EXPECT_EQ(store.Stats().corrupt, static_cast<std::uint64_t>(lost));
}

TEST(BlockStore, AFullDiskFillsMemoryToTwiceTheBudgetAndIsWaitedOut) {
  SmallDisk disk(24 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  BlockStore store(
      {.dir = disk / "blocks", .memory_budget_bytes = kBudget, .retry_delay = std::chrono::milliseconds(1)});
  disk.Fill(9 << 20);
  absl::Status status;
  std::uint64_t batch = 0;
  while (status.ok() && batch < 100) status = Fill(store, batch + 1, batch + 1, 32), ++batch;
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr(disk / "blocks"));
  EXPECT_THAT(Message(status), HasSubstr("No space left on device"));
  EXPECT_THAT(store.Problem(), HasSubstr("No space left on device"));
  EXPECT_LE(store.Stats().memory_bytes, 2 * kBudget + (9 << 20));
  ExpectWhole(store, 1, batch - 1, 32);

  disk.Release();
  ASSERT_TRUE(Eventually([&] { return Fill(store, batch, batch, 32).ok(); })) << store.Problem();
  EXPECT_TRUE(Eventually([&] {
    ++batch;
    return Fill(store, batch, batch, 2).ok() && store.Problem().empty();
  })) << store.Problem();
  EXPECT_EQ(store.Stats().corrupt, 0u);
}

TEST(BlockStore, ADiskThatIsFullFromTheStartIsReported) {
  SmallDisk disk(4 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  BlockStore store(
      {.dir = disk / "blocks", .memory_budget_bytes = 1 << 20, .retry_delay = std::chrono::milliseconds(1)});
  disk.Fill(0);
  ASSERT_TRUE(Fill(store, 1, 1, 24).ok()) << "up to twice the budget stays in memory";
  EXPECT_THAT(store.Problem(), Not(IsEmpty()));
  EXPECT_TRUE(absl::IsResourceExhausted(Fill(store, 2, 2, 24)));
  ExpectWhole(store, 1, 1, 24);
  store.DropThrough(2);
  EXPECT_THAT(store.Problem(), IsEmpty()) << "nothing waits for the disk any more";
  disk.Release();
  ASSERT_TRUE(Fill(store, 3, 3, 24).ok());
  ExpectWhole(store, 3, 3, 24);
}

TEST(BlockStore, ManyThreadsPutGetAndDrop) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = kBudget});
  constexpr std::uint64_t kBatches = 40;
  constexpr std::size_t kSize = 16 << 10;
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint32_t writer = 0; writer < 4; ++writer) {
    threads.emplace_back([&, writer] {
      for (std::uint64_t batch = 1; batch <= kBatches; ++batch) {
        for (std::uint32_t map = writer; map < 32; map += 4) {
          if (!store.Put(BlockOf(KeyOf(batch, map), kSize), map % 2 ? Keep::kNeeded : Keep::kRecovery).ok()) ++wrong;
          const auto block = store.Get(IdOf(batch, map));
          const bool fine = block.ok() ? (*block)->data == DataOf(KeyOf(batch, map), kSize) : batch <= dropped.load();
          if (!fine) ++wrong;
        }
        done.fetch_add(1);
      }
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(7);
    while (done.load() < 4 * kBatches) {
      const BlockId id = IdOf(random() % kBatches + 1, static_cast<std::uint32_t>(random() % 32));
      const auto block = store.Get(id);
      if (block.ok() ? (*block)->data != DataOf(id.key, kSize) : !absl::IsNotFound(block.status())) ++wrong;
    }
  });
  threads.emplace_back([&] {
    while (done.load() < 4 * kBatches) {
      const std::uint64_t batch = done.load() / 4;
      if (batch > 12) {
        dropped.store(batch - 12);
        store.DropThrough(batch - 12);
      }
      std::this_thread::yield();
    }
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  const BlockStoreStats stats = store.Stats();
  EXPECT_EQ(stats.corrupt, 0u);
  EXPECT_GT(stats.spilled, 0u);
  store.DropThrough(kBatches);
  EXPECT_EQ(store.Stats().blocks, 0u);
}

}  // namespace
}  // namespace millrace
