// Which blocks the local store holds, by key and by the input they were made from.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "common/block/block.h"

namespace millrace::runner {

class BlockIndex {
 public:
  // `produced`: made by a task of this runner, so it can be pushed again; otherwise received from a peer.
  void Add(const BlockKey& key, std::uint64_t input_hash, bool produced) {
    Entry& entry = blocks_[key];
    entry.produced = produced || (entry.produced && entry.input_hash == input_hash);
    entry.input_hash = input_hash;
  }
  bool Has(const BlockKey& key, std::uint64_t input_hash) const {
    const auto it = blocks_.find(key);
    return it != blocks_.end() && it->second.input_hash == input_hash;
  }
  void DropThrough(std::uint64_t batch) {
    while (!blocks_.empty() && blocks_.begin()->first.batch <= batch) blocks_.erase(blocks_.begin());
  }
  void ForEachProduced(const std::function<void(const BlockKey&, std::uint64_t)>& visit) const {
    for (const auto& [key, entry] : blocks_) {
      if (entry.produced) visit(key, entry.input_hash);
    }
  }

 private:
  struct Entry {
    std::uint64_t input_hash = 0;
    bool produced = false;
  };
  std::map<BlockKey, Entry> blocks_;  // ordered by batch first
};

}  // namespace millrace::runner
