#include "common/block/block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <unordered_set>

#include "common/block/block_wire.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

const BlockKey kKey{.batch = 7, .shuffle = 2, .stage = 1, .map_partition = 3, .reduce_partition = 5};

TEST(BlockKey, SortsAsBytesAsItDoesAsNumbers) {
  std::mt19937_64 random(1);
  std::vector<BlockKey> keys;
  for (int i = 0; i < 2000; ++i) {
    const auto small = [&] { return static_cast<std::uint32_t>(random() >> (32 + random() % 32)); };
    keys.push_back({random() >> (random() % 64), small(), small(), small(), small()});
  }
  std::vector<BlockKey> by_bytes = keys;
  std::sort(keys.begin(), keys.end());
  std::sort(by_bytes.begin(), by_bytes.end(), [](const auto& a, const auto& b) { return EncodeKey(a) < EncodeKey(b); });
  EXPECT_TRUE(keys == by_bytes);
  for (const auto& key : keys) {
    const std::string bytes = EncodeKey(key);
    EXPECT_EQ(bytes.size(), kBlockKeyBytes);
    EXPECT_TRUE(DecodeKey(bytes) == key);
  }
  EXPECT_FALSE(DecodeKey("short"));
}

TEST(BlockKey, ABatchIsARangeOfKeys) {
  constexpr auto kMax = std::numeric_limits<std::uint32_t>::max();
  const BlockKey last{6, kMax, kMax, kMax, kMax};
  EXPECT_LT(EncodeKey(last), FirstKeyOfBatch(7));
  EXPECT_LE(FirstKeyOfBatch(7), EncodeKey({.batch = 7}));
}

TEST(BlockKey, Hashes) {
  std::unordered_set<BlockKey> keys;
  for (std::uint32_t i = 0; i < 100; ++i) keys.insert({.batch = i / 10, .map_partition = i % 10});
  EXPECT_EQ(keys.size(), 100u);
  EXPECT_TRUE(keys.contains({.batch = 9, .map_partition = 9}));
}

TEST(Block, ChecksumCoversEveryField) {
  const auto block = MakeBlock(kKey, 11, 4, "some data");
  EXPECT_TRUE(VerifyBlock(*block).ok());
  const auto changed = [&](auto change) {
    Block other = *block;
    change(other);
    return VerifyBlock(other);
  };
  EXPECT_TRUE(absl::IsDataLoss(changed([](Block& b) { ++b.key.batch; })));
  EXPECT_FALSE(changed([](Block& b) { ++b.key.shuffle; }).ok());
  EXPECT_FALSE(changed([](Block& b) { ++b.key.stage; }).ok());
  EXPECT_FALSE(changed([](Block& b) { ++b.key.map_partition; }).ok());
  EXPECT_FALSE(changed([](Block& b) { ++b.key.reduce_partition; }).ok());
  EXPECT_FALSE(changed([](Block& b) { ++b.input_hash; }).ok());
  EXPECT_FALSE(changed([](Block& b) { ++b.records; }).ok());
  EXPECT_FALSE(changed([](Block& b) { ++b.checksum; }).ok());
  EXPECT_FALSE(changed([](Block& b) { b.data.pop_back(); }).ok());
  EXPECT_FALSE(changed([](Block& b) { b.data[3] ^= 1; }).ok());
  EXPECT_THAT(Message(changed([](Block& b) { b.data[3] ^= 1; })),
              HasSubstr("batch 7 shuffle 2 stage 1 map 3 reduce 5"));
}

// The checksum is on disks and on the wire between versions: it must not change.
TEST(Block, ChecksumIsTheDocumentedOne) {
  EXPECT_EQ(BlockChecksum(kKey, 11, 4, "some data"), BlockChecksum(kKey, 11, 4, std::string("some data")));
  EXPECT_EQ(BlockChecksum(kKey, 11, 4, "some data"), 12228016027276700095u);
  EXPECT_TRUE(VerifyBlock(*MakeBlock(kKey, 0, 0, "")).ok());
}

TEST(BlockWire, GoesThereAndBackWithoutACopyOfTheData) {
  const auto block = MakeBlock(kKey, 11, 4, std::string(1000, 'x'));
  v1::Block message = ToWire(*block);
  EXPECT_EQ(message.batch(), 7u);
  EXPECT_EQ(message.reduce_partition(), 5u);
  const char* data = message.data().data();
  const auto back = FromWire(std::move(message));
  EXPECT_EQ(static_cast<const void*>(back->data.data()), data);
  EXPECT_TRUE(VerifyBlock(*back).ok());
  EXPECT_EQ(back->key, kKey);
  EXPECT_EQ(back->checksum, block->checksum);

  Block mine = *back;
  data = mine.data.data();
  const v1::Block moved = ToWire(std::move(mine));
  EXPECT_EQ(static_cast<const void*>(moved.data().data()), data);
  EXPECT_EQ(KeyFromWire(ToWire(kKey)), kKey);
  EXPECT_EQ(ToWire(kKey).checksum(), 0u);
}

// As many messages as there are bytes to flip: each is no message, or its blocks are noticed, or nothing that counts
// has changed.
TEST(BlockWire, AByteFlippedOnTheWayIsNoticed) {
  v1::PushRequest request;
  request.set_epoch(3);
  std::vector<std::shared_ptr<const Block>> blocks;
  for (std::uint32_t map = 0; map < 3; ++map) {
    blocks.push_back(MakeBlock({7, 2, 1, map, 5}, 11 + map, 4, Concat("data of map ", map)));
    *request.add_blocks() = ToWire(*blocks.back());
  }
  request.set_check(PushCheck(request));
  const std::string sent = request.SerializeAsString();
  int no_message = 0, damaged = 0;
  for (std::size_t at = 0; at < sent.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = sent;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      v1::PushRequest got;
      if (!got.ParseFromString(bytes) || got.check() != PushCheck(got)) {
        ++no_message;
        continue;
      }
      EXPECT_EQ(got.blocks_size(), 3) << "byte " << at;
      EXPECT_EQ(got.epoch(), 3u) << "byte " << at;
      for (v1::Block& message : *got.mutable_blocks()) {
        const auto block = FromWire(std::move(message));
        if (!VerifyBlock(*block).ok()) {
          ++damaged;
          continue;
        }
        const auto same = std::ranges::find_if(blocks, [&](const auto& b) { return b->id() == block->id(); });
        ASSERT_NE(same, blocks.end()) << "byte " << at;
        EXPECT_EQ((*same)->data, block->data);
        EXPECT_EQ((*same)->records, block->records);
      }
    }
  }
  EXPECT_GT(no_message, 50);
  EXPECT_GT(damaged, 500);
}

TEST(BlockWire, StoredFormKeepsEverything) {
  const auto block = MakeBlock(kKey, 11, 4, "data");
  v1::durable::StoredBlock stored;
  ASSERT_TRUE(stored.ParseFromString(ToStored(*block).SerializeAsString()));
  EXPECT_TRUE(VerifyBlock(*FromStored(kKey, std::move(stored))).ok());
}

}  // namespace
}  // namespace millrace
