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

TEST(BlockWire, StoredFormKeepsEverything) {
  const auto block = MakeBlock(kKey, 11, 4, "data");
  v1::durable::StoredBlock stored;
  ASSERT_TRUE(stored.ParseFromString(ToStored(*block).SerializeAsString()));
  EXPECT_TRUE(VerifyBlock(*FromStored(kKey, std::move(stored))).ok());
}

}  // namespace
}  // namespace millrace
