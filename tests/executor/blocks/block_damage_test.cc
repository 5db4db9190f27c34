// Every byte that a block is stored in may turn bad: what comes back is the block or an error, never anything else.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "executor/blocks/block_store.h"
#include "executor/blocks/disk_blocks.h"
#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using testing::ScratchDirectory;

constexpr std::uint32_t kBlocks = 5;

std::shared_ptr<const Block> BlockOf(std::uint32_t map) {
  return MakeBlock({.batch = 3, .shuffle = 1, .map_partition = map}, map + 100, 2, std::string(40 + map, 'a'));
}

class Flipped {  // as long as it lives
 public:
  Flipped(std::string path, std::streamoff at, char mask) : path_(std::move(path)), at_(at), mask_(mask) { Flip(); }
  ~Flipped() { Flip(); }

 private:
  void Flip() const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at_);
    const char byte = static_cast<char>(file.get());
    file.seekp(at_);
    file.put(static_cast<char>(byte ^ mask_));
  }
  const std::string path_;
  const std::streamoff at_;
  const char mask_;
};

std::string OnlyTable(const std::string& dir) {
  std::string found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.path().extension() != ".sst") continue;
    EXPECT_TRUE(found.empty());
    found = entry.path();
  }
  return found;
}

TEST(BlockDamage, AByteFlippedAnywhereInTheFileIsNoticed) {
  ScratchDirectory dir;
  DiskBlocks disk(dir.path());
  std::vector<std::shared_ptr<const Block>> blocks;
  for (std::uint32_t map = 0; map < kBlocks; ++map) blocks.push_back(BlockOf(map));
  ASSERT_TRUE(disk.Write(blocks).ok());
  const std::string table = OnlyTable(dir.path());
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(table));
  int noticed = 0;
  for (std::streamoff at = 0; at < size; ++at) {
    const Flipped flipped(table, at, static_cast<char>(1 << (at % 8)));
    for (const auto& block : blocks) {
      const auto read = disk.Read(block->id());
      if (!read.ok()) {
        EXPECT_TRUE(absl::IsDataLoss(read.status())) << "byte " << at << ": " << read.status();
        ++noticed;
      } else {
        ASSERT_EQ((*read)->data, block->data) << "byte " << at;
        ASSERT_EQ((*read)->records, block->records) << "byte " << at;
      }
    }
  }
  // What is left is the index, which is read once, when the file is opened.
  EXPECT_GT(noticed, 40 * static_cast<int>(kBlocks));
  for (const auto& block : blocks) EXPECT_TRUE(disk.Read(block->id()).ok()) << "all is as it was";
}

TEST(BlockDamage, ADamagedBlockIsDroppedCountedAndMayBePutAgain) {
  ScratchDirectory dir;
  const std::map<std::uint32_t, Residence> on_disk = {{1, Residence::kDisk}};
  BlockStore store({.dir = dir.path(), .memory_budget_bytes = 1 << 20, .residence = on_disk});
  const BlockKey key{.batch = 3, .shuffle = 1};
  const auto block = MakeBlock(key, 7, 2, std::string(5 << 20, 'b'));
  ASSERT_TRUE(store.Put(block, Keep::kNeeded).ok());
  const std::string table = OnlyTable(dir.path());
  ASSERT_FALSE(table.empty()) << "it is past the portion that may wait in memory";
  for (std::uint64_t round = 1; round <= 3; ++round) {
    ASSERT_NE(*store.Get(block->id()), block) << "read from disk";
    {
      const Flipped flipped(OnlyTable(dir.path()), 2 << 20, 1);
      EXPECT_TRUE(absl::IsDataLoss(store.Get(block->id()).status()));
    }
    EXPECT_EQ(store.Stats().corrupt, round);
    EXPECT_TRUE(absl::IsNotFound(store.Get(block->id()).status()));
    store.DropThrough(2);  // nothing is on disk: the file goes
    ASSERT_TRUE(store.Put(block, Keep::kNeeded).ok());
  }
}

std::size_t DatabasesIn(const std::string& dir) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) count += entry.is_directory() ? 1 : 0;
  return count;
}

// RocksDB takes no writes any more once it has met damage in the background; blocks must go on finding room.
TEST(BlockDamage, WritingGoesOnAfterTheDatabaseHasMetDamage) {
  ScratchDirectory dir;
  DiskBlocks disk(dir.path());
  const auto block_of = [](std::uint64_t batch, std::uint32_t map) {
    return MakeBlock({.batch = batch, .shuffle = 1, .map_partition = map}, 7, 2,
                     std::string(2000, static_cast<char>('a' + batch)));
  };
  std::set<std::string> damaged;
  std::uint32_t round = 0;
  // Every file covers all batches, so that they are merged sooner or later, and so read.
  for (; round < 400 && DatabasesIn(dir.path()) < 2; ++round) {
    std::vector<std::shared_ptr<const Block>> blocks;
    for (std::uint64_t batch = 1; batch <= 20; ++batch) blocks.push_back(block_of(batch, round));
    ASSERT_TRUE(disk.Write(blocks).ok()) << "round " << round;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
      if (entry.path().extension() != ".sst" || !damaged.insert(entry.path()).second) continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(200);
      file.write("damaged!", 8);
    }
  }
  ASSERT_EQ(DatabasesIn(dir.path()), 2u) << "the damage was never met";
  int whole = 0;
  for (std::uint32_t old = 0; old < round; ++old) {
    const auto read = disk.Read(block_of(7, old)->id());
    EXPECT_TRUE(read.ok() || absl::IsDataLoss(read.status())) << read.status();
    EXPECT_TRUE(!read.ok() || (*read)->data == block_of(7, old)->data);
    whole += read.ok() ? 1 : 0;
  }
  EXPECT_GT(whole, 0) << "what is left of the damaged one can be read";
  ASSERT_TRUE(disk.Write(std::vector{block_of(1, 0)}).ok()) << "made again";
  EXPECT_TRUE(disk.Read(block_of(1, 0)->id()).ok());
  ASSERT_TRUE(disk.DropThrough(20).ok());
  EXPECT_EQ(DatabasesIn(dir.path()), 1u) << "the damaged one is gone";
}

TEST(BlockDamage, CheckLooksAtBlocksInMemory) {
  ScratchDirectory dir;
  BlockStore store({.dir = dir.path()});
  auto bad = std::make_shared<Block>(*BlockOf(1));
  bad->data[3] = static_cast<char>(bad->data[3] ^ 4);
  ASSERT_TRUE(store.Put(bad, Keep::kNeeded).ok());
  ASSERT_TRUE(store.Put(BlockOf(2), Keep::kNeeded).ok());
  EXPECT_TRUE(store.Check(BlockOf(2)->id()).ok());
  EXPECT_TRUE(absl::IsDataLoss(store.Check(bad->id())));
  EXPECT_TRUE(absl::IsNotFound(store.Check(bad->id())));
  EXPECT_EQ(store.Stats().corrupt, 1u);
  EXPECT_EQ(store.Stats().blocks, 1u);
}

}  // namespace
}  // namespace millrace
