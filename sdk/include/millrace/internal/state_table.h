// StateTable<Key, Value>: an operator's memory of one value a key, with either backend behind the same calls.
//
//   StateTable<std::string, std::uint64_t> counts(state, "counts");
//   auto& entry = counts.FindOrAdd(HashOf(key), key, [] { return std::uint64_t{0}; });
//   ++entry.value;
//   counts.Changed(entry);
//
// In memory all entries are here, in a hash table. On disk the table is a cache: what a batch touches is read from the
// store once and written back when the batch ends, or earlier when it is too much. An Entry is valid until the next
// call of Find, FindOrAdd or ForEach. Whoever changes a value calls Changed: what is not marked may be forgotten.
//
// A checkpoint takes what has changed bit by bit, while batches go on. An entry that it has not come to yet is given to
// it when a batch finds it, before the batch can change it. One thread at a time. Errors: CodecError for damaged
// entries, whatever the store throws.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/state.h"
#include "millrace/owned.h"

namespace millrace::detail {

template <class Key, class Value>
class StateTable : public StatePart {
 public:
  struct Entry {
    std::uint64_t hash;
    Key key;
    Value value;
    std::uint64_t order;  // in memory: when the key came; what ForEach goes by, also after a restore
    bool live;
    std::uint8_t dirty;  // 0: as it was last taken; else the mark under which it was changed
  };

  StateTable(OperatorState& owner, std::string_view name)
      : prefix_(owner.Register(*this, name)), groups_(owner.setup().key_groups), store_(owner.setup().store) {}

  // Ask for the memory that Find(hash, …) will look at: first the slot, and when that is there, the entry.
  void PrefetchSlot(std::uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & mask_]);
  }
  void PrefetchEntry(std::uint64_t hash) const {
    if (slots_.empty()) return;
    const std::uint32_t entry = slots_[hash & mask_].entry;
    if (entry != 0) __builtin_prefetch(&entries_[entry - 1]);
  }

  // Null when the key is not there. `key` may be a view of what a Key owns.
  template <class K>
  Entry* Find(std::uint64_t hash, const K& key) {
    if (Entry* entry = Lookup(hash, key)) return entry->live ? &Taken(*entry) : nullptr;
    return store_ == nullptr ? nullptr : Fetch(hash, key);
  }

  // Adds start() under a key that is not there. A new entry counts as changed.
  template <class K, class Start>
  Entry& FindOrAdd(std::uint64_t hash, const K& key, const Start& start) {
    if (Entry* entry = Lookup(hash, key)) {
      if (entry->live) return Taken(*entry);
      if (store_ != nullptr) {  // erased in this batch
        entry->value = start();
        entry->live = true;
        ++live_;
        Changed(*entry);
        return *entry;
      }
    } else if (store_ != nullptr) {
      if (Entry* fetched = Fetch(hash, key)) return *fetched;
    }
    Entry& added = Append(Entry{hash, Key(ToOwned<K>(key)), start(), next_order_++, true, 0});
    Changed(added);
    return added;
  }

  void Changed(Entry& entry) {
    if (entry.dirty != 0) return;
    entry.dirty = mark_;
    changed_.push_back(static_cast<std::uint32_t>(&entry - entries_.data()));
  }

  void Erase(Entry& entry) {
    if (!entry.live) return;
    entry.live = false;
    --live_;
    if (store_ == nullptr) {
      erased_.push_back(KeyBytes(entry.hash, entry.key));
    } else {
      Changed(entry);
    }
  }

  // Calls f(Entry&) for every entry; f may mark it changed or erase it, and must not touch the table otherwise. In
  // memory in the order in which the keys came, on disk in the order of their bytes.
  template <class F>
  void ForEach(const F& f) {
    if (store_ != nullptr) return ForEachStored(f);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].live) f(Taken(entries_[i]));
    }
  }

  // In memory: how many keys there are. On disk nobody counts them.
  std::size_t size() const { return live_; }

  // ---- for the state that it is a part of ----
  void Load(std::string_view key, std::string_view value) override {
    Append(Parse(key, value));
    next_order_ = std::max(next_order_, entries_.back().order + 1);
  }
  void Loaded() override {
    if (store_ != nullptr) return;
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.order < b.order; });
    Index(slots_.size());
  }
  void TakeChanges(engine::StateChanges& changes) override {
    if (taking_ != nullptr) throw std::logic_error("a state is taken while the last taking has not ended");
    std::sort(erased_.begin(), erased_.end());
    erased_.erase(std::unique(erased_.begin(), erased_.end()), erased_.end());
    for (const std::string& key : erased_) {
      if (!IsDirtyAgain(key)) changes.Delete(key);
    }
    erased_.clear();
    taking_ = &changes;
    taken_.swap(changed_);
    taken_mark_ = std::exchange(mark_, mark_ == kMarks[0] ? kMarks[1] : kMarks[0]);
  }
  bool TakeMore(std::size_t entries) override {
    if (taking_ == nullptr) return false;
    const std::size_t end = next_taken_ + std::min(entries, taken_.size() - next_taken_);
    for (; next_taken_ < end; ++next_taken_) Taken(entries_[taken_[next_taken_]]);
    if (end < taken_.size()) return true;
    taken_ = {};
    next_taken_ = 0;
    taken_mark_ = kNoMark;
    taking_ = nullptr;
    return false;
  }
  void EndBatch() override {
    if (store_ != nullptr) Flush();
    Compact();
  }
  std::uint64_t bytes() const override {
    return entries_.capacity() * sizeof(Entry) + slots_.capacity() * sizeof(Slot);
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t entry = 0;  // index + 1; 0: free
  };
  // Two are enough: before the third begins, nothing has the first any more.
  static constexpr std::array<std::uint8_t, 2> kMarks = {1, 2};
  static constexpr std::uint8_t kNoMark = 255;
  static constexpr std::size_t kFirstSlots = 64;
  static constexpr std::size_t kCachedEntries = 32'768;  // on disk: more are written back and forgotten
  static constexpr std::size_t kScanned = 4'096;         // on disk: entries that ForEach holds at once

  static std::uint32_t TagOf(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  // The entry, given to the checkpoint that is being taken if that still lacks it.
  Entry& Taken(Entry& entry) {
    if (entry.dirty == taken_mark_) [[unlikely]] {
      if (entry.live) taking_->Put(KeyBytes(entry.hash, entry.key), ValueBytes(entry));
      entry.dirty = 0;
    }
    return entry;
  }

  std::string KeyBytes(std::uint64_t hash, const Key& key) const {
    std::string bytes = prefix_;
    AppendGroup(KeyGroupOf(hash, groups_), bytes);
    ByteWriter out(bytes);
    Encode(key, out);
    return bytes;
  }
  std::string ValueBytes(const Entry& entry) const {
    std::string bytes;
    ByteWriter out(bytes);
    out.Varint(entry.order);
    Encode(entry.value, out);
    return bytes;
  }
  // `key` without the prefix.
  Entry Parse(std::string_view key, std::string_view value) const {
    if (key.size() < 2) ByteReader::Fail("a state's key is too short");
    Key parsed = FromBytes<Key>(key.substr(2));
    ByteReader in(value);
    const std::uint64_t order = in.Varint();
    const std::uint64_t hash = HashOf(parsed);
    return Entry{hash, std::move(parsed), Decode<Value>(in), order, true, 0};
  }

  // Also what was erased and is still remembered; the live one if there is one.
  template <class K>
  Entry* Lookup(std::uint64_t hash, const K& key) {
    if (slots_.empty()) return nullptr;
    Entry* dead = nullptr;
    const std::uint32_t tag = TagOf(hash);
    for (std::size_t at = hash & mask_; slots_[at].entry != 0; at = (at + 1) & mask_) {
      if (slots_[at].tag != tag) continue;
      Entry& entry = entries_[slots_[at].entry - 1];
      if (!KeyEquals(entry.key, key)) continue;
      if (entry.live) return &entry;
      dead = &entry;
    }
    return dead;
  }

  template <class K>
  Entry* Fetch(std::uint64_t hash, const K& key) {
    const Key owned(ToOwned<K>(key));
    const std::string bytes = KeyBytes(hash, owned);
    std::string value;
    if (!store_->Get(bytes, value)) return nullptr;
    if (entries_.size() >= kCachedEntries) Flush();
    return &Append(Parse(std::string_view(bytes).substr(prefix_.size()), value));
  }

  Entry& Append(Entry entry) {
    if (store_ != nullptr && entries_.size() >= kCachedEntries) Flush();
    if (entries_.size() >= limit_) Index(std::max(kFirstSlots, slots_.size() * 2));
    const std::uint64_t hash = entry.hash;
    entries_.push_back(std::move(entry));
    ++live_;
    Place(hash, static_cast<std::uint32_t>(entries_.size()));
    return entries_.back();
  }

  void Place(std::uint64_t hash, std::uint32_t number) {
    std::size_t at = hash & mask_;
    while (slots_[at].entry != 0) at = (at + 1) & mask_;
    slots_[at] = {TagOf(hash), number};
  }

  void Index(std::size_t slots) {
    if (entries_.size() >= UINT32_MAX - 1)
      throw std::length_error("a state has more than 2^32 keys: use more partitions");
    slots_.assign(std::max(slots, kFirstSlots), Slot{});
    mask_ = slots_.size() - 1;
    limit_ = slots_.size() - slots_.size() / 4 - slots_.size() / 8;  // five eighths full
    for (std::size_t i = 0; i < entries_.size(); ++i) Place(entries_[i].hash, static_cast<std::uint32_t>(i + 1));
  }

  // Forgets dead entries once they are many. Not while a checkpoint knows entries by their places.
  void Compact() {
    if (taking_ != nullptr || entries_.size() - live_ <= live_ / 2 + 64) return;
    std::erase_if(entries_, [](const Entry& entry) { return !entry.live; });
    std::size_t slots = kFirstSlots;
    while (slots - slots / 4 - slots / 8 <= entries_.size()) slots *= 2;
    Index(slots);
    changed_.clear();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].dirty != 0) changed_.push_back(static_cast<std::uint32_t>(i));
    }
  }

  // An erased key that has come back: its Put says it all.
  bool IsDirtyAgain(std::string_view key) {
    const Key parsed = FromBytes<Key>(key.substr(prefix_.size() + 2));
    const Entry* entry = Lookup(HashOf(parsed), parsed);
    return entry != nullptr && entry->live;
  }

  // Writes back what has changed, and forgets everything once it is much.
  void Flush() {
    for (const std::uint32_t at : changed_) {
      Entry& entry = entries_[at];
      if (entry.live) {
        store_->Put(KeyBytes(entry.hash, entry.key), ValueBytes(entry));
      } else {
        store_->Delete(KeyBytes(entry.hash, entry.key));
      }
      entry.dirty = 0;
    }
    changed_.clear();
    if (entries_.size() < kCachedEntries) return;
    entries_.clear();
    live_ = 0;
    Index(slots_.size());
  }

  template <class F>
  void ForEachStored(const F& f) {
    Flush();
    std::string from = prefix_;
    std::string to = prefix_;
    ++to.back();  // the prefix ends with a zero byte
    for (bool more = true; more;) {
      std::vector<Entry> found;
      more = false;
      store_->Scan(from, to, [&](std::string_view key, std::string_view value) {
        if (found.size() == kScanned) {
          from = key;
          more = true;
          return false;
        }
        found.push_back(Parse(key.substr(prefix_.size()), value));
        return true;
      });
      for (Entry& one : found) VisitStored(one, f);
    }
  }

  template <class F>
  void VisitStored(Entry& one, const F& f) {
    Entry* entry = Lookup(one.hash, one.key);
    if (entry == nullptr) entry = &Append(std::move(one));
    if (entry->live) f(*entry);
  }

  const std::string prefix_;
  const std::uint32_t groups_;
  engine::StateStore* const store_;
  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  std::size_t limit_ = 0;
  std::size_t live_ = 0;
  std::uint64_t next_order_ = 0;
  std::uint8_t mark_ = kMarks[0];
  std::vector<std::uint32_t> changed_;  // indices of entries that are dirty with this mark
  // Of the checkpoint that is being taken; null: none is.
  engine::StateChanges* taking_ = nullptr;
  std::uint8_t taken_mark_ = kNoMark;
  std::vector<std::uint32_t> taken_;  // indices of entries that had changed when it began
  std::size_t next_taken_ = 0;
  std::vector<std::string> erased_;  // in memory: keys, as stored
};

}  // namespace millrace::detail
