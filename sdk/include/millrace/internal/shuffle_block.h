// A shuffle block: the records of one map task for one reduce partition, as a varint count and the encoded records.
//
// PartitionBlocks writes the blocks of a task, BlockReader reads one. Errors: BlockReader throws CodecError on damage:
// fewer or more bytes than its records need. One thread at a time; a reader's views live as long as its data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/engine.h"
#include "millrace/internal/state.h"

namespace millrace::detail {

// Which of `partitions` a hash belongs to: by its high bits, since hash tables use the low ones.
inline std::uint32_t PartitionOf(std::uint64_t hash, std::uint32_t partitions) {
  return static_cast<std::uint32_t>(((hash >> 32) * partitions) >> 32);
}

// The same for a shuffle as it is described: a stateful one goes by key groups.
inline std::uint32_t PartitionOf(std::uint64_t hash, const engine::OperatorDescription& shuffle) {
  if (shuffle.key_groups == 0) return PartitionOf(hash, shuffle.partitions);
  return PartitionOfGroup(KeyGroupOf(hash, shuffle.key_groups), shuffle.key_groups, shuffle.partitions);
}

class PartitionBlocks {
 public:
  explicit PartitionBlocks(std::uint32_t partitions) : blocks_(partitions) {}

  std::uint32_t partitions() const { return static_cast<std::uint32_t>(blocks_.size()); }

  template <class T>
  void Add(std::uint32_t partition, const T& record) {
    Block& block = blocks_[partition];
    ++block.records;
    ByteWriter out(block.bytes);
    Encode(record, out);
  }
  template <class K, class V>
  void Add(std::uint32_t partition, const K& key, const V& value) {
    Block& block = blocks_[partition];
    ++block.records;
    ByteWriter out(block.bytes);
    Encode(key, out);
    Encode(value, out);
  }

  // A block, and how many records it has. Once.
  std::pair<std::string, std::uint64_t> Take(std::uint32_t partition) {
    Block& block = blocks_[partition];
    std::string data;
    data.reserve(block.bytes.size() + 10);
    ByteWriter out(data);
    out.Varint(block.records);
    out.Bytes(block.bytes);
    block.bytes = {};
    return {std::move(data), block.records};
  }

  // Gives every block away, the empty ones too.
  void Give(std::uint32_t shuffle, engine::TaskOutput& output) {
    for (std::uint32_t p = 0; p < partitions(); ++p) {
      auto [data, records] = Take(p);
      output.Block(shuffle, p, std::move(data), records);
    }
  }

 private:
  struct Block {
    std::uint64_t records = 0;
    std::string bytes;
  };
  std::vector<Block> blocks_;
};

class BlockReader {
 public:
  explicit BlockReader(std::string_view data) : in_(data), left_(in_.Count()) {}

  // True: one more record may be read from in(). At the end, checks that nothing is left over.
  bool Next() {
    if (left_ > 0) {
      --left_;
      return true;
    }
    if (!in_.empty()) ByteReader::Fail("bytes are left over after the last record");
    return false;
  }
  ByteReader& in() { return in_; }

 private:
  ByteReader in_;
  std::size_t left_;
};

}  // namespace millrace::detail
