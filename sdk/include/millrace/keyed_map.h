// A map for every key: MapState of a keyed process (<millrace/keyed_process.h>, where it is used).
//
//   MapState<std::string, int> by_page_{*this, "by_page"};
//   by_page_.Change(click.page, [](int& n) { ++n; });
//   by_page_.ForEach([&](const std::string& page, int n) { … });
//
// Each entry is stored on its own, so a large map costs what is touched of it. The order is that of the encoded map
// keys, with either backend. All calls are about the key that is being processed; what is written is read at once. A
// pointer is valid until the next call of the same state. A time to live counts for each entry alone. Errors:
// std::logic_error outside of OnRecord and OnTimer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/internal/keyed_core.h"
#include "millrace/internal/keyed_entries.h"
#include "millrace/internal/keyed_expiry.h"
#include "millrace/internal/text.h"
#include "millrace/internal/type_name.h"
#include "millrace/owned.h"

namespace millrace {

template <class Key, class MapKey, class T>
class KeyedMap : private detail::Expiring {
  static_assert(Encodable<MapKey> && Encodable<T>,
                "a MapState needs a millrace::Codec for its key and value types; see <millrace/codec.h>");
  static_assert(detail::kCanBeKept<std::pair<MapKey, T>> && detail::kOwnsItself<std::pair<MapKey, T>>,
                "a MapState is kept from batch to batch, and this type holds views: use owned text");

 public:
  KeyedMap(const detail::ProcessBase<Key>& process, std::string_view name, const StateOptions& options = {})
      : core_(process.core()),
        name_(core_.Describe("MapState", name, detail::Cat(detail::TypeName<MapKey>(), " to ", detail::TypeName<T>()),
                             options)),
        entries_(core_.owner(), name_),
        expiry_(core_.owner(), name_, options) {
    core_.AddExpiring(*this);
  }
  KeyedMap(const KeyedMap&) = delete;
  KeyedMap& operator=(const KeyedMap&) = delete;

  bool Contains(const MapKey& map_key) { return Find(map_key) != nullptr; }
  // Null when it is not there.
  const T* Find(const MapKey& map_key) {
    const std::string sub = ToBytes(map_key);
    Value* value = Living(sub);
    if (value == nullptr) return nullptr;
    if (!expiry_.IsOnRead()) return &value->value;
    Renew(sub, *value);
    return &entries_.Change(core_.place(), sub, [&] { return *value; }).value;
  }
  T Get(const MapKey& map_key, T fallback = T()) {
    const T* value = Find(map_key);
    return value == nullptr ? std::move(fallback) : *value;
  }

  void Put(const MapKey& map_key, T value) {
    const std::string sub = ToBytes(map_key);
    bool is_new = false;
    Value& entry = entries_.Change(core_.place(), sub, [&] {
      is_new = true;
      return Value(std::move(value));
    });
    if (!is_new) entry.value = std::move(value);
    Renew(sub, entry);
  }
  // f(T&) changes the value in place; what is not there begins as T(). f must not use this state.
  template <class F>
  void Change(const MapKey& map_key, const F& f) {
    static_assert(std::is_invocable_v<const F&, T&>,
                  "Change needs a function callable as f(T&), which changes the value");
    const std::string sub = ToBytes(map_key);
    Value& entry = entries_.Change(core_.place(), sub, [] { return Value(T()); });
    if (IsOver(entry)) entry.value = T();
    f(entry.value);
    Renew(sub, entry);
  }
  void Erase(const MapKey& map_key) { EraseSub(ToBytes(map_key)); }
  void Clear() {
    std::vector<std::string> subs;
    do {
      subs.clear();
      entries_.ForEach(core_.place(), [&](std::string_view sub, const Value&) {
        subs.emplace_back(sub);
        return subs.size() < kAtOnce;
      });
      for (const std::string& sub : subs) EraseSub(sub);
    } while (!subs.empty());
  }

  bool Empty() {
    bool empty = true;
    entries_.ForEach(core_.place(), [&](std::string_view, const Value& entry) { return empty = IsOver(entry); });
    return empty;
  }
  // Calls f(const MapKey&, const T&) for every entry. f must not use this state. Is no read that makes entries live on.
  template <class F>
  void ForEach(const F& f) {
    entries_.ForEach(core_.place(), [&](std::string_view sub, const Value& entry) {
      if (!IsOver(entry)) f(FromBytes<MapKey>(sub), entry.value);
      return true;
    });
  }

 private:
  using Value = detail::Stamped<T>;
  using TimerKey = detail::SubKey<Key>;
  static constexpr std::size_t kAtOnce = 1'024;  // entries that Clear collects

  bool IsOver(const Value& entry) const { return expiry_.IsOver(entry.stamp.ends_us, core_.now_us); }
  Value* Living(std::string_view sub) {
    Value* entry = entries_.Find(core_.place(), sub);
    return entry == nullptr || IsOver(*entry) ? nullptr : entry;
  }
  void Renew(const std::string& sub, Value& entry) {
    expiry_.Renew(entry.stamp, core_.now_us, core_.hash(), [&] { return TimerKey(core_.key(), sub); });
  }
  void EraseSub(const std::string& sub) {
    Value* entry = entries_.Find(core_.place(), sub);
    if (entry == nullptr) return;
    expiry_.Cancel(entry->stamp, core_.hash(), [&] { return TimerKey(core_.key(), sub); });
    entries_.Erase(core_.place(), sub);
  }
  void Clean() override {
    expiry_.PopDue(core_.now_us, [this](std::uint64_t hash, const TimerKey& key) {
      const std::string key_bytes = ToBytes(key.key);
      const detail::EntryPlace place = core_.PlaceOf(hash, key_bytes);
      Value* entry = entries_.Find(place, key.sub);
      if (entry == nullptr) return;
      if (!expiry_.LivesOn(entry->stamp, core_.now_us, hash, key)) return entries_.Erase(place, key.sub);
      entries_.Change(place, key.sub, [&] { return *entry; });
    });
  }

  detail::ProcessCore<Key>& core_;
  const std::string name_;
  detail::KeyedEntries<Key, Value> entries_;
  detail::Expiry<TimerKey> expiry_;
};

}  // namespace millrace
