// KeyedGroups<K, V>: the records of one batch, the values of each key side by side, in the order in which they came.
//
//   KeyedGroups<K, V> groups;
//   groups.AddBlock(data);                                    // data must outlive the groups
//   groups.Arrange();
//   for (auto& entry : groups.entries()) f(entry.key, groups.ValuesOf(entry.value));
//
// Keys and values are views of the blocks where they can be. One thread at a time. Errors: CodecError for damaged
// blocks, std::length_error for more than 2^32 records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/combine_operators.h"
#include "millrace/internal/combine_table.h"
#include "millrace/internal/record_array.h"
#include "millrace/internal/shuffle_block.h"

namespace millrace::detail {

template <class K, class V>
class KeyedGroups {
  using BlockKey = typename InBlock<K>::Type;

 public:
  // The values of a key.
  struct Run {
    std::uint32_t first = 0;  // as they came: a chain
    std::uint32_t last = 0;
    std::uint32_t begin = 0;  // arranged: where they begin
    std::uint32_t count = 0;
    bool visited = false;  // for the caller
  };
  using Entry = typename CombineTable<BlockKey, Run>::Entry;

  void AddBlock(std::string_view data) {
    for (BlockReader block(data); block.Next();) {
      BlockKey key = Decode<BlockKey>(block.in());
      if (arrived_.size() >= UINT32_MAX)
        throw std::length_error("a task has more than 2^32 records: use more partitions");
      const auto at = static_cast<std::uint32_t>(arrived_.size());
      arrived_.Emplace(Decode<V>(block.in()));
      next_.push_back(0);
      const std::uint64_t hash = HashOf(key);
      keys_.Update(
          hash, key,
          [&] {
            return Entry{hash, std::move(key), Run{at, at, 0, 1, false}};
          },
          [&](Run& run) {
            next_[run.last] = at;
            run.last = at;
            ++run.count;
          });
    }
  }

  void Arrange() {
    arranged_.Reserve(arrived_.size());
    for (Entry& entry : keys_.entries()) {
      Run& run = entry.value;
      run.begin = static_cast<std::uint32_t>(arranged_.size());
      std::uint32_t at = run.first;
      for (std::uint32_t i = 0; i < run.count; ++i, at = next_[at]) arranged_.Emplace(std::move(arrived_[at]));
    }
    arrived_.Release();
    next_ = {};
  }

  // Null when the batch has no record of the key.
  template <class Key>
  Entry* Find(std::uint64_t hash, const Key& key) {
    return keys_.Find(hash, key);
  }
  // In the order in which the keys came.
  std::span<Entry> entries() { return keys_.entries(); }
  std::span<const V> ValuesOf(const Run& run) const { return arranged_.records().subspan(run.begin, run.count); }

 private:
  CombineTable<BlockKey, Run> keys_;
  RecordArray<V> arrived_;
  std::vector<std::uint32_t> next_;  // of the values that arrived: the next one of the same key
  RecordArray<V> arranged_;
};

}  // namespace millrace::detail
