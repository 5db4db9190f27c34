// Which records came lately, by the ids that their upstream gives them, so that one that is sent again is known.
//
//   if (!ids.Contains(record.id)) … store it …, ids.Add(record.id);
//
// Remembers the newest kMost; an id is kept as a hash of 128 bits. One thread at a time.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <deque>
#include <set>
#include <string_view>
#include <utility>

namespace millrace::received {

class RecentIds {
 public:
  static constexpr std::size_t kMost = 200'000;

  bool Contains(std::string_view id) const { return known_.contains(HashOf(id)); }
  void Add(std::string_view id) {
    const Hash hash = HashOf(id);
    if (!known_.insert(hash).second) return;
    order_.push_back(hash);
    if (order_.size() <= kMost) return;
    known_.erase(order_.front());
    order_.pop_front();
  }

 private:
  using Hash = std::pair<std::uint64_t, std::uint64_t>;
  static Hash HashOf(std::string_view id) {
    const XXH128_hash_t hash = XXH3_128bits(id.data(), id.size());
    return {hash.high64, hash.low64};
  }
  std::set<Hash> known_;
  std::deque<Hash> order_;  // oldest first
};

}  // namespace millrace::received
