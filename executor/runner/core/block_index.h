// Which blocks the local store holds, by key and by the input they were made from. Both together are a block's
// identity: two owners of one split may close one batch at different places, and both blocks may be here, in any order,
// before Go says which of them counts. It also remembers those that were lost by damage, until they are here again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "executor/runner/core/events.h"

namespace millrace::runner {

class BlockIndex {
 public:
  // `produced`: made by a task of this runner, so it can be pushed again; otherwise received from a peer.
  void Add(const MadeBlock& block, bool produced) {
    bool& ours = blocks_[{block.key, block.input_hash}];
    ours = ours || produced;
    lost_.erase({block.key, block.input_hash});
  }
  // It was damaged.
  void Lose(const MadeBlock& block) {
    blocks_.erase({block.key, block.input_hash});
    lost_.insert({block.key, block.input_hash});
  }
  bool Has(const BlockKey& key, std::uint64_t input_hash) const { return blocks_.contains({key, input_hash}); }
  void DropThrough(std::uint64_t batch) {
    while (!blocks_.empty() && blocks_.begin()->first.first.batch <= batch) blocks_.erase(blocks_.begin());
    while (!lost_.empty() && lost_.begin()->first.batch <= batch) lost_.erase(lost_.begin());
  }
  void ForEachProduced(const std::function<void(const MadeBlock&)>& visit) const {
    for (const auto& [id, produced] : blocks_) {
      if (produced) visit({id.first, id.second});
    }
  }
  void ForEachLost(const std::function<void(const MadeBlock&)>& visit) const {
    for (const auto& [key, input_hash] : lost_) visit({key, input_hash});
  }
  std::size_t size() const { return blocks_.size(); }

 private:
  using Id = std::pair<BlockKey, std::uint64_t>;  // ordered by batch first
  std::map<Id, bool> blocks_;                     // value: produced here
  std::set<Id> lost_;
};

}  // namespace millrace::runner
