// A block: what one map task made for one reduce partition in one batch. It is made once, never changed, and shared by
// pointer between the threads that send, store and merge it. The key names its place, `input_hash` the input it was
// made from, so that a block of a batch that was cut again is told from the one that counts; together they are its
// identity. `checksum` covers all of it, on the wire and on disk.
//
//   std::shared_ptr<const Block> block = MakeBlock({.batch = 7, .shuffle = 2}, input_hash, records, std::move(data));
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"

namespace millrace {

struct BlockKey {
  std::uint64_t batch = 0;
  std::uint32_t shuffle = 0;
  std::uint32_t stage = 0;
  std::uint32_t map_partition = 0;
  std::uint32_t reduce_partition = 0;

  auto operator<=>(const BlockKey&) const = default;
};

// A block's identity. Two owners of one split may close one batch at different places: both blocks may be around until
// the batch's plan says which of them counts.
struct BlockId {
  BlockKey key;
  std::uint64_t input_hash = 0;

  auto operator<=>(const BlockId&) const = default;
};

struct Block {
  BlockId id() const { return {key, input_hash}; }

  BlockKey key;
  std::uint64_t input_hash = 0;
  std::uint64_t records = 0;
  std::uint64_t checksum = 0;
  std::string data;
};

// Big endian, so that keys sort as bytes as they do as numbers and a range of batches is a range of keys.
inline constexpr std::size_t kBlockKeyBytes = 24;
std::string EncodeKey(const BlockKey& key);
std::optional<BlockKey> DecodeKey(std::string_view bytes);
// The key, then the input's hash, big endian.
std::string EncodeId(const BlockId& id);
// No key of this batch or a later one is smaller, every key of an earlier one is.
std::string FirstKeyOfBatch(std::uint64_t batch);

// XXH3 of the data, seeded with the XXH3 of the other fields.
std::uint64_t BlockChecksum(const BlockKey& key, std::uint64_t input_hash, std::uint64_t records,
                            std::string_view data);

// With its checksum.
std::shared_ptr<const Block> MakeBlock(const BlockKey& key, std::uint64_t input_hash, std::uint64_t records,
                                       std::string data);

// DataLoss, naming the block, when it does not match its checksum.
absl::Status VerifyBlock(const Block& block);

// For people: "batch 7 shuffle 2 stage 0 map 3 reduce 1".
std::string ToString(const BlockKey& key);
std::string ToString(const BlockId& id);

}  // namespace millrace

template <>
struct std::hash<millrace::BlockKey> {
  std::size_t operator()(const millrace::BlockKey& key) const noexcept;
};
