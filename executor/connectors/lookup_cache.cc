#include "executor/connectors/lookup_cache.h"

#include <utility>

namespace millrace {
namespace {
// What an entry takes beside its key and row: nodes, pointers, headers of the allocator.
constexpr std::uint64_t kEntryBytes = 192;
}  // namespace

std::uint64_t LookupCache::SizeOf(const Entry& entry) {
  return kEntryBytes + entry.key.size() + (entry.row == nullptr ? 0 : entry.row->size());
}

std::vector<std::size_t> LookupCache::Find(std::span<const std::string> keys, Time now, std::span<LookupRow> rows) {
  std::vector<std::size_t> missing;
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto at = by_key_.find(keys[i]);
    if (at == by_key_.end()) {
      missing.push_back(i);
    } else if (const auto entry = at->second; now - entry->asked < limits_.ttl) {
      rows[i] = entry->row;
      entries_.splice(entries_.begin(), entries_, entry);
    } else {
      missing.push_back(i);
      Remove(entry);
    }
  }
  return missing;
}

void LookupCache::Put(const std::string& key, LookupRow row, Time asked) {
  Entry entry{key, std::move(row), asked};
  const std::uint64_t size = SizeOf(entry);
  if (limits_.rows == 0 || limits_.ttl.count() == 0 || size > limits_.bytes) return;
  std::lock_guard lock(mutex_);
  if (const auto at = by_key_.find(key); at != by_key_.end()) {
    if (at->second->asked > asked) return;
    Remove(at->second);
  }
  while (!entries_.empty() && (entries_.size() >= limits_.rows || bytes_ + size > limits_.bytes)) {
    Remove(std::prev(entries_.end()));
  }
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += size;
}

void LookupCache::Remove(Entries::iterator entry) {
  bytes_ -= SizeOf(*entry);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

std::size_t LookupCache::rows() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

std::uint64_t LookupCache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace millrace
