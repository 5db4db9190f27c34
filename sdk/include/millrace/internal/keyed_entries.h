// KeyedEntries<Key, Value>: an operator's memory of many values a key, each under bytes of its own: the entries of a
// map, the pieces of a list. Each is an entry of the state, so one that changes does not rewrite its neighbours.
//
//   KeyedEntries<std::string, std::uint64_t> pages(state, "pages");
//   const EntryPlace place{KeyGroupOf(HashOf(key), groups), ToBytes(key)};
//   ++pages.Change(place, ToBytes(page), [] { return std::uint64_t{0}; });
//   pages.ForEach(place, [](std::string_view page, const std::uint64_t& count) { … });      // by the bytes
//
// In memory the entries are here. On disk they are read when they are asked for, kept for the batch, and written back
// when it ends, or earlier when they are many. A value is valid until the next call. One thread at a time. Errors:
// CodecError for damaged entries, whatever the store throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/state.h"

namespace millrace::detail {

// A key: its group, and its encoded bytes.
struct EntryPlace {
  std::uint32_t group;
  std::string_view key;
};

template <class Key, class Value>
class KeyedEntries : public StatePart {
 public:
  KeyedEntries(OperatorState& owner, std::string_view name)
      : prefix_(owner.Register(*this, name)), store_(owner.setup().store) {}

  // Null when it is not there.
  Value* Find(const EntryPlace& place, std::string_view sub) {
    Slot* slot = store_ != nullptr ? &Cached(EntryKey(place, sub)).second : FindHeld(place.key, sub);
    return slot != nullptr && slot->value ? &*slot->value : nullptr;
  }

  // For changing it; what is not there is made by start().
  template <class Start>
  Value& Change(const EntryPlace& place, std::string_view sub, const Start& start) {
    if (store_ != nullptr) {
      auto& [key, slot] = Cached(EntryKey(place, sub));
      if (!slot.value) slot.value.emplace(start());
      Dirty(key, slot);
      return *slot.value;
    }
    auto subs = held_.find(place.key);
    if (subs == held_.end()) subs = held_.try_emplace(std::string(place.key)).first;
    auto at = subs->second.find(sub);
    if (at == subs->second.end()) {
      at = subs->second.emplace(std::string(sub), Slot{start(), false}).first;
      bytes_ += CostOf(sub);
    }
    if (!at->second.dirty) changed_.emplace(EntryKey(place, sub), place.key.size());
    at->second.dirty = true;
    return *at->second.value;
  }

  // Erasing what is not there does nothing.
  void Erase(const EntryPlace& place, std::string_view sub) {
    if (store_ != nullptr) {
      auto& [key, slot] = Cached(EntryKey(place, sub));
      if (!slot.value) return;
      slot.value.reset();
      return Dirty(key, slot);
    }
    const auto subs = held_.find(place.key);
    if (subs == held_.end()) return;
    const auto at = subs->second.find(sub);
    if (at == subs->second.end()) return;
    subs->second.erase(at);
    bytes_ -= CostOf(sub);
    if (subs->second.empty()) held_.erase(subs);
    changed_.emplace(EntryKey(place, sub), place.key.size());
  }

  // Calls f(sub, const Value&) for every entry of a key, ascending, until it gives false; f must not touch these
  // entries.
  template <class F>
  void ForEach(const EntryPlace& place, const F& f) {
    if (store_ != nullptr) return ForEachStored(place, f);
    const auto subs = held_.find(place.key);
    if (subs == held_.end()) return;
    for (const auto& [sub, slot] : subs->second) {
      if (!f(std::string_view(sub), std::as_const(*slot.value))) return;
    }
  }

  // ---- for the state that it is a part of ----
  void Load(std::string_view key, std::string_view value) override {
    const std::size_t size = KeySize(key);
    const std::string_view sub = key.substr(2 + size);
    held_[std::string(key.substr(2, size))].emplace(std::string(sub), Slot{FromBytes<Value>(value), false});
    bytes_ += CostOf(sub);
  }
  void TakeChanges(engine::StateChanges& changes) override {
    for (const auto& [key, size] : changed_) {
      const std::string_view rest = std::string_view(key).substr(prefix_.size() + 2);
      Slot* slot = FindHeld(rest.substr(0, size), rest.substr(size));
      if (slot == nullptr) {
        changes.Delete(key);
      } else {
        changes.Put(key, ToBytes(*slot->value));
        slot->dirty = false;
      }
    }
    changed_.clear();
  }
  void EndBatch() override {
    if (store_ != nullptr) Flush();
  }
  std::uint64_t bytes() const override { return bytes_ + cache_.size() * (sizeof(Slot) + kOverhead); }

 private:
  struct Slot {
    std::optional<Value> value;  // in memory: always there
    bool dirty = false;
  };
  struct HashText {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return HashOf(text); }
  };
  using Cache = std::unordered_map<std::string, Slot>;
  static constexpr std::size_t kOverhead = 96;           // of a node and its text
  static constexpr std::size_t kCachedEntries = 32'768;  // on disk: more are written back and forgotten
  static constexpr std::size_t kScanned = 1'024;         // on disk: entries that ForEach holds at once

  static std::size_t CostOf(std::string_view sub) { return sub.size() + sizeof(Slot) + kOverhead; }

  std::string EntryKey(const EntryPlace& place, std::string_view sub) const {
    std::string key = prefix_;
    AppendGroup(place.group, key);
    key.append(place.key);
    key.append(sub);
    return key;
  }
  // How many bytes the key takes in an entry's key, which is without the prefix.
  static std::size_t KeySize(std::string_view key) {
    if (key.size() < 2) ByteReader::Fail("a state's key is too short");
    ByteReader in(key.substr(2));
    static_cast<void>(Decode<Key>(in));
    return key.size() - 2 - in.remaining();
  }

  Slot* FindHeld(std::string_view key, std::string_view sub) {
    const auto subs = held_.find(key);
    if (subs == held_.end()) return nullptr;
    const auto at = subs->second.find(sub);
    return at == subs->second.end() ? nullptr : &at->second;
  }

  // ---- on disk ----
  typename Cache::value_type& Cached(std::string key) {
    const auto known = cache_.find(key);
    if (known != cache_.end()) return *known;
    if (cache_.size() >= kCachedEntries) {
      Flush();
      cache_.clear();
    }
    Slot slot;
    std::string bytes;
    if (store_->Get(key, bytes)) slot.value = FromBytes<Value>(bytes);
    return *cache_.emplace(std::move(key), std::move(slot)).first;
  }
  void Dirty(const std::string& key, Slot& slot) {
    if (!slot.dirty) dirty_.push_back(key);
    slot.dirty = true;
  }
  void Flush() {
    for (const std::string& key : dirty_) {
      Slot& slot = cache_.at(key);
      if (slot.value) {
        store_->Put(key, ToBytes(*slot.value));
      } else {
        store_->Delete(key);
      }
      slot.dirty = false;
    }
    dirty_.clear();
  }

  template <class F>
  void ForEachStored(const EntryPlace& place, const F& f) {
    Flush();
    const std::string begin = EntryKey(place, "");
    std::string from = begin;
    std::string to = begin;  // the first after all that begin with it; there is one, since the uid's end is a zero byte
    while (to.back() == '\xff') to.pop_back();
    ++to.back();
    for (bool more = true; more;) {
      std::vector<std::pair<std::string, Value>> found;
      more = false;
      store_->Scan(from, to, [&](std::string_view key, std::string_view value) {
        if (found.size() == kScanned) {
          from = key;
          more = true;
          return false;
        }
        found.emplace_back(key.substr(begin.size()), FromBytes<Value>(value));
        return true;
      });
      for (const auto& [sub, value] : found) {
        if (!f(std::string_view(sub), value)) return;
      }
    }
  }

  const std::string prefix_;
  engine::StateStore* const store_;
  std::unordered_map<std::string, std::map<std::string, Slot, std::less<>>, HashText, std::equal_to<>>
      held_;                                    // in memory
  std::map<std::string, std::size_t> changed_;  // in memory: entries since they were last taken, and their keys' sizes
  std::uint64_t bytes_ = 0;
  Cache cache_;                     // on disk, by the entry's whole key
  std::vector<std::string> dirty_;  // on disk
};

}  // namespace millrace::detail
