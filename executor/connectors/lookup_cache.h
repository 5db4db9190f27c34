// Rows that were looked up, for as long as they may be used: the least recently used go first when there are too many
// rows or bytes, and each goes when it is too old. That a key has no row is kept, too.
//
//   std::vector<std::size_t> missing = cache.Find(keys, now, rows);   // fills rows[i] of what it has
//   cache.Put(key, row, asked);                                       // `asked`: when the question was sent
//
// Thread-safe. A row that was given lives as long as its holder wants.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "executor/connectors/lookup.h"

namespace millrace {

class LookupCache {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit LookupCache(const LookupCacheLimits& limits) : limits_(limits) {}

  // The numbers of the keys that it does not have; `rows` is as long as `keys`.
  std::vector<std::size_t> Find(std::span<const std::string> keys, Time now, std::span<LookupRow> rows);
  // Of two rows of a key that was asked for later stays.
  void Put(const std::string& key, LookupRow row, Time asked);

  std::size_t rows() const;
  std::uint64_t bytes() const;

 private:
  struct Entry {
    std::string key;
    LookupRow row;  // null: there is none
    Time asked;
  };
  using Entries = std::list<Entry>;

  static std::uint64_t SizeOf(const Entry& entry);
  void Remove(Entries::iterator entry);

  const LookupCacheLimits limits_;
  mutable std::mutex mutex_;
  Entries entries_;                                                 // most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // views into entries_
  std::uint64_t bytes_ = 0;
};

}  // namespace millrace
