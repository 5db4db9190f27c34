// CombineTable<Key, Value>: the hash table in which records of one key meet. Open addressing over small slots; the
// entries themselves lie one after the other in the order in which their keys came, so that what is written out is the
// same whenever the same records come.
//
//   table.Update(hash, key, [&] { return Entry{hash, own_key, first}; }, [&](Value& value) { value += more; });
//
// The caller hashes a key once; the table never hashes. One thread at a time. Memory grows with the number of keys and
// is given back by Release. Errors: std::length_error at 2^32 keys, and what the callbacks throw; after an error the
// table is only good for destruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "millrace/hash.h"

namespace millrace::detail {

template <class Key, class Value>
class CombineTable {
 public:
  struct Entry {
    std::uint64_t hash;
    Key key;
    Value value;
  };

  // Ask for the memory that Update(hash, …) will look at: first the slot, and when that is there, the entry.
  void PrefetchSlot(std::uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & mask_]);
  }
  void PrefetchEntry(std::uint64_t hash) const {
    if (slots_.empty()) return;
    const std::uint32_t entry = slots_[hash & mask_].entry;
    if (entry != 0) __builtin_prefetch(&entries_[entry - 1]);
  }

  // If the key is new, appends start(); else calls add(value) on what is there. `key` may be a view of what a Key owns.
  template <class K, class Start, class Add>
  void Update(std::uint64_t hash, const K& key, const Start& start, const Add& add) {
    if (entries_.size() >= limit_) [[unlikely]]
      Grow();
    const std::uint32_t tag = TagOf(hash);
    std::size_t at = hash & mask_;
    for (; slots_[at].entry != 0; at = (at + 1) & mask_) {
      if (slots_[at].tag != tag) continue;
      Entry& entry = entries_[slots_[at].entry - 1];
      if (KeyEquals(entry.key, key)) return add(entry.value);
    }
    entries_.push_back(start());
    slots_[at] = {tag, static_cast<std::uint32_t>(entries_.size())};
  }

  // Null when the key is not there.
  template <class K>
  Entry* Find(std::uint64_t hash, const K& key) {
    if (slots_.empty()) return nullptr;
    for (std::size_t at = hash & mask_; slots_[at].entry != 0; at = (at + 1) & mask_) {
      if (slots_[at].tag != TagOf(hash)) continue;
      Entry& entry = entries_[slots_[at].entry - 1];
      if (KeyEquals(entry.key, key)) return &entry;
    }
    return nullptr;
  }

  // In the order in which the keys came.
  std::span<Entry> entries() { return entries_; }
  std::size_t size() const { return entries_.size(); }

  void Release() {
    entries_ = {};
    slots_ = {};
    mask_ = 0;
    limit_ = 0;
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t entry = 0;  // index + 1; 0: free
  };
  static constexpr std::size_t kFirstSlots = 64;

  // Slots are chosen by the low bits, so the tag takes the high ones.
  static std::uint32_t TagOf(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  void Grow() {
    if (entries_.size() >= UINT32_MAX - 1)
      throw std::length_error("a task combines more than 2^32 keys: use more partitions");
    std::vector<Slot> slots(slots_.empty() ? kFirstSlots : slots_.size() * 2);
    mask_ = slots.size() - 1;
    limit_ = slots.size() - slots.size() / 4 - slots.size() / 8;  // five eighths full
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      std::size_t at = entries_[i].hash & mask_;
      while (slots[at].entry != 0) at = (at + 1) & mask_;
      slots[at] = {TagOf(entries_[i].hash), static_cast<std::uint32_t>(i + 1)};
    }
    slots_ = std::move(slots);
  }

  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  std::size_t limit_ = 0;
};

}  // namespace millrace::detail
