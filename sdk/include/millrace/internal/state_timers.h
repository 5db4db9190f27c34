// StateTimers<Key>: an operator's memory of what is to be done when, by key.
//
//   StateTimers<std::string> timers(state, "timers");
//   timers.Set(now_us + idle_us, HashOf(key), key);
//   timers.PopDue(now_us, [&](std::int64_t time_us, std::uint64_t hash, const std::string& key) { … });
//
// Timers go off in the order of (time, encoded key), whatever the backend and however keys are divided. In memory all
// of them are in one ordered map. On disk a timer is an entry whose key begins with its group and its time; of each
// group the next few are kept here, so that nothing is read while nothing is due, and finding what is due never passes
// over timers that are not. One thread at a time. Errors: CodecError for damaged entries, whatever the store throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/state.h"

namespace millrace::detail {

template <class Key>
class StateTimers : public StatePart {
 public:
  StateTimers(OperatorState& owner, std::string_view name)
      : prefix_(owner.Register(*this, name)),
        groups_(owner.setup().key_groups),
        store_(owner.setup().store),
        partition_(owner.setup().partition),
        partitions_(owner.setup().description->partitions) {}

  // Setting a timer that is set does nothing: a key has at most one of each time.
  void Set(std::int64_t time_us, std::uint64_t hash, const Key& key) {
    std::string timer = TimerBytes(time_us, key);
    const std::uint32_t group = KeyGroupOf(hash, groups_);
    if (store_ == nullptr) {
      if (all_.emplace(timer, group).second) Note(group, timer, true);
      return;
    }
    store_->Put(EntryKey(group, timer), "");
    Keep(group, std::move(timer));
  }

  // Erasing one that is not set does nothing.
  void Erase(std::int64_t time_us, std::uint64_t hash, const Key& key) {
    const std::string timer = TimerBytes(time_us, key);
    const std::uint32_t group = KeyGroupOf(hash, groups_);
    if (store_ == nullptr) {
      if (all_.erase(timer) != 0) Note(group, timer, false);
      return;
    }
    store_->Delete(EntryKey(group, timer));
    Forget(group, timer);
  }

  // Removes every timer of `until_us` or before, `most` of them at most, and calls f(time_us, hash, const Key&) for it.
  // f may set and erase timers; those that it sets and that are due too are popped by the same call.
  template <class F>
  void PopDue(std::int64_t until_us, const F& f, std::size_t most = SIZE_MAX) {
    for (; most > 0; --most) {
      const std::optional<std::pair<std::string, std::uint32_t>> first = First();
      if (!first || TimeOf(first->first) > until_us) return;
      const auto& [timer, group] = *first;
      if (store_ == nullptr) {
        all_.erase(timer);
        Note(group, timer, false);
      } else {
        store_->Delete(EntryKey(group, timer));
        Forget(group, timer);
      }
      const Key key = FromBytes<Key>(std::string_view(timer).substr(kTimeBytes));
      f(TimeOf(timer), HashOf(key), key);
    }
  }

  // When the next one is due; nothing when none is set.
  std::optional<std::int64_t> next() const {
    const auto first = First();
    return first ? std::optional(TimeOf(first->first)) : std::nullopt;
  }

  // ---- for the state that it is a part of ----
  void Load(std::string_view key, std::string_view value) override {
    if (key.size() < 2 + kTimeBytes || !value.empty()) ByteReader::Fail("an entry is no timer");
    const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(key[i])}; };
    const std::uint32_t group = byte(0) << 8 | byte(1);
    bytes_ += key.size() + kOverhead;
    all_.emplace_hint(all_.end(), key.substr(2), group);
  }
  void TakeChanges(engine::StateChanges& changes) override {
    for (const auto& [key, is_set] : changes_) {
      if (is_set) {
        changes.Put(key, "");
      } else {
        changes.Delete(key);
      }
    }
    changes_.clear();
  }
  std::uint64_t bytes() const override { return bytes_; }

 private:
  // On disk: the first timers of a group, and whether the store has later ones.
  struct Head {
    std::set<std::string> timers;
    std::string end;  // all timers of the group up to this one are in `timers`
    bool complete = false;
  };
  static constexpr std::size_t kTimeBytes = 8;
  static constexpr std::size_t kOverhead = 80;    // of an ordered map's node
  static constexpr std::size_t kReadAtOnce = 64;  // timers of a group
  static constexpr std::size_t kMostKept = 256;   // timers of a group

  // Big endian, the sign turned around: the order of bytes is the order of times.
  static std::string TimerBytes(std::int64_t time_us, const Key& key) {
    const std::uint64_t time = static_cast<std::uint64_t>(time_us) ^ (std::uint64_t{1} << 63);
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(time >> shift));
    ByteWriter out(bytes);
    Encode(key, out);
    return bytes;
  }
  static std::int64_t TimeOf(std::string_view timer) {
    std::uint64_t time = 0;
    for (std::size_t i = 0; i < kTimeBytes; ++i) time = time << 8 | static_cast<unsigned char>(timer[i]);
    return static_cast<std::int64_t>(time ^ (std::uint64_t{1} << 63));
  }
  std::string EntryKey(std::uint32_t group, std::string_view timer) const {
    std::string key = prefix_;
    AppendGroup(group, key);
    key.append(timer);
    return key;
  }

  std::optional<std::pair<std::string, std::uint32_t>> First() const {
    if (store_ == nullptr) {
      if (all_.empty()) return std::nullopt;
      return *all_.begin();
    }
    if (heads_.empty()) Open();
    if (firsts_.empty()) return std::nullopt;
    return *firsts_.begin();
  }

  // In memory: says it at the next TakeChanges.
  void Note(std::uint32_t group, std::string_view timer, bool is_set) {
    const std::size_t bytes = timer.size() + 2 + kOverhead;
    bytes_ = is_set ? bytes_ + bytes : bytes_ - bytes;
    changes_.insert_or_assign(EntryKey(group, timer), is_set);
  }

  // ---- on disk: the heads, of this partition's groups. Mutable, since reading fills them. ----
  void Open() const {
    heads_.resize(groups_);
    for (std::uint32_t group = 0; group < groups_; ++group) {
      if (PartitionOfGroup(group, groups_, partitions_) == partition_) Read(group);
    }
  }

  // Reads the next timers of a group whose known ones are used up.
  void Read(std::uint32_t group) const {
    Head& head = heads_[group];
    std::string from = EntryKey(group, head.end);
    if (!head.end.empty()) from.push_back('\0');  // the one after it
    std::string to = prefix_;
    AppendGroup(group + 1, to);
    const std::size_t skip = prefix_.size() + 2;
    head.complete = true;
    store_->Scan(from, to, [&](std::string_view key, std::string_view) {
      if (key.size() < skip + kTimeBytes) ByteReader::Fail("an entry is no timer");
      if (head.timers.size() == kReadAtOnce) {
        head.complete = false;
        return false;
      }
      head.timers.emplace_hint(head.timers.end(), key.substr(skip));
      return true;
    });
    if (head.timers.empty()) return;
    head.end = *head.timers.rbegin();
    firsts_.emplace(*head.timers.begin(), group);
  }

  // A timer is in the store, and perhaps among those that are kept here.
  void Keep(std::uint32_t group, std::string timer) {
    if (heads_.empty()) return;
    Head& head = heads_[group];
    if (!head.complete && timer > head.end) return;
    if (!head.timers.empty()) firsts_.erase({*head.timers.begin(), group});
    if (timer > head.end) head.end = timer;
    head.timers.insert(std::move(timer));
    if (head.timers.size() > kMostKept) {
      head.timers.erase(std::prev(head.timers.end()));
      head.end = *head.timers.rbegin();
      head.complete = false;
    }
    firsts_.emplace(*head.timers.begin(), group);
  }

  // A timer is no longer in the store.
  void Forget(std::uint32_t group, const std::string& timer) {
    if (heads_.empty()) return;
    Head& head = heads_[group];
    const auto at = head.timers.find(timer);
    if (at == head.timers.end()) return;
    firsts_.erase({*head.timers.begin(), group});
    head.timers.erase(at);
    if (!head.timers.empty()) {
      firsts_.emplace(*head.timers.begin(), group);
    } else if (!head.complete) {
      Read(group);
    }
  }

  const std::string prefix_;
  const std::uint32_t groups_;
  engine::StateStore* const store_;
  const std::uint32_t partition_;
  const std::uint32_t partitions_;
  std::map<std::string, std::uint32_t> all_;  // in memory: time and key, and the group
  std::map<std::string, bool> changes_;       // in memory: entries since they were last taken; false: erased
  std::uint64_t bytes_ = 0;
  mutable std::vector<Head> heads_;                                 // on disk, by group; empty: not yet read
  mutable std::set<std::pair<std::string, std::uint32_t>> firsts_;  // the first of each head
};

}  // namespace millrace::detail
