// Entries written lately, in memory: a hash table by key, put in order once, when it is full. A state's newest changes
// are one; and so is what a state in memory says has changed.
//
//   WriteSet set;
//   set.Put("a", "1");
//   set.Delete("b");
//   if (const WriteSet::Entry* entry = set.Find("a")) Use(entry->value());
//   auto sorted = std::make_shared<SortedSet>(std::exchange(set, {}));
//
// One thread at a time. A key or value over the limits of state_file.h is a std::runtime_error; there are no others.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "executor/state/entry_cursor.h"

namespace millrace {

class WriteSet {
 public:
  struct Entry {
    const char* data;  // the key, then the value
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;
    std::uint32_t hash;
    bool deleted;
    bool queued;  // for the owner, who may set it: has yet to be copied to where it goes

    std::string_view key() const { return {data, key_bytes}; }
    std::string_view value() const { return {data + key_bytes, value_bytes}; }
  };

  // Both give the entry's index in entries().
  std::uint32_t Put(std::string_view key, std::string_view value) { return Set(key, value, false); }
  std::uint32_t Delete(std::string_view key) { return Set(key, {}, true); }
  // Null: nothing was written under this key. Valid until the next Put or Delete.
  const Entry* Find(std::string_view key) const;

  // In the order in which keys came.
  std::vector<Entry>& entries() { return entries_; }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // All memory it takes, values that were written over included.
  std::size_t bytes() const;
  // Of keys and values.
  std::size_t payload_bytes() const { return payload_bytes_; }

 private:
  friend class SortedSet;
  std::uint32_t Set(std::string_view key, std::string_view value, bool deleted);
  char* Allocate(std::size_t bytes);
  void Grow();

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // index in entries_ plus 1, 0: free; a power of two of them
  std::vector<std::unique_ptr<char[]>> arena_;
  std::size_t arena_bytes_ = 0;
  std::size_t payload_bytes_ = 0;
  char* free_ = nullptr;  // in the last piece of the arena
  std::size_t free_bytes_ = 0;
};

// A set that nothing is added to any more, to be read in order; by several threads at once.
class SortedSet {
 public:
  explicit SortedSet(WriteSet set);

  // The set must be held as long as the cursor.
  static std::unique_ptr<EntryCursor> Read(std::shared_ptr<const SortedSet> set);
  const std::vector<WriteSet::Entry>& entries() const { return set_.entries_; }
  std::size_t bytes() const { return set_.bytes(); }

 private:
  WriteSet set_;
};

}  // namespace millrace
