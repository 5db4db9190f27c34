// Which blocks the local store holds, by key and by the input they were made from. Both together are a block's
// identity: two owners of one split may close one batch at different places, and both blocks may be here, in any order,
// before Go says which of them counts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "executor/runner/core/events.h"

namespace millrace::runner {

class BlockIndex {
 public:
  // `produced`: made by a task of this runner, so it can be pushed again; otherwise received from a peer.
  void Add(const MadeBlock& block, bool produced) {
    bool& ours = blocks_[{block.key, block.input_hash}];
    ours = ours || produced;
  }
  void Remove(const MadeBlock& block) { blocks_.erase({block.key, block.input_hash}); }
  bool Has(const BlockKey& key, std::uint64_t input_hash) const { return blocks_.contains({key, input_hash}); }
  void DropThrough(std::uint64_t batch) {
    while (!blocks_.empty() && blocks_.begin()->first.first.batch <= batch) blocks_.erase(blocks_.begin());
  }
  void ForEachProduced(const std::function<void(const MadeBlock&)>& visit) const {
    for (const auto& [id, produced] : blocks_) {
      if (produced) visit({id.first, id.second});
    }
  }
  std::size_t size() const { return blocks_.size(); }

 private:
  std::map<std::pair<BlockKey, std::uint64_t>, bool> blocks_;  // ordered by batch first; value: produced here
};

}  // namespace millrace::runner
