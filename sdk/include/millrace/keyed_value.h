// One value a key: ValueState and ReducingState of a keyed process (<millrace/keyed_process.h>, where they are used).
//
//   ValueState<std::uint64_t> count_{*this, "count", {.ttl = std::chrono::hours(1)}};
//   count_.Change([](std::uint64_t& n) { ++n; });
//   if (count_.Get() > 100) count_.Clear();
//
//   ReducingState<double> sum_{*this, "sum", std::plus<>{}};
//   sum_.Add(click.amount);
//
// All calls are about the key that is being processed; what is written is read at once. A pointer is valid until the
// next call of the same state. Errors: std::logic_error outside of OnRecord and OnTimer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/codec.h"
#include "millrace/internal/keyed_core.h"
#include "millrace/internal/keyed_expiry.h"
#include "millrace/internal/state_table.h"
#include "millrace/internal/type_name.h"
#include "millrace/owned.h"

namespace millrace {

template <class Key, class T>
class KeyedValue : private detail::Expiring {
  static_assert(Encodable<T>, "a state needs a millrace::Codec for its type; see <millrace/codec.h>");
  static_assert(detail::kCanBeKept<T> && detail::kOwnsItself<T>,
                "a state is kept from batch to batch, and this type holds views: use owned text");

 public:
  KeyedValue(const detail::ProcessBase<Key>& process, std::string_view name, const StateOptions& options = {})
      : KeyedValue(process.core(), "ValueState", name, options) {}
  // For states made of one.
  KeyedValue(detail::ProcessCore<Key>& core, std::string_view kind, std::string_view name, const StateOptions& options)
      : core_(core),
        name_(core.Describe(kind, name, detail::TypeName<T>(), options)),
        values_(core.owner(), name_),
        expiry_(core.owner(), name_, options) {
    core.AddExpiring(*this);
  }
  KeyedValue(const KeyedValue&) = delete;
  KeyedValue& operator=(const KeyedValue&) = delete;

  bool Exists() { return Find() != nullptr; }
  // Null when there is none.
  const T* Find() {
    Entry* entry = Living();
    if (entry == nullptr) return nullptr;
    if (expiry_.IsOnRead()) Renew(*entry);
    return &entry->value.value;
  }
  T Get(T fallback = T()) {
    const T* value = Find();
    return value == nullptr ? std::move(fallback) : *value;
  }

  void Set(T value) {
    bool is_new = false;
    Entry& entry = values_.FindOrAdd(core_.hash(), core_.key(), [&] {
      is_new = true;
      return detail::Stamped<T>(std::move(value));
    });
    if (!is_new) entry.value.value = std::move(value);
    Renew(entry);
  }
  // f(T&) changes the value in place; what is not there begins as T(). f must not use this state.
  template <class F>
  void Change(const F& f) {
    static_assert(std::is_invocable_v<const F&, T&>,
                  "Change needs a function callable as f(T&), which changes the value");
    Entry* entry = Living();
    if (entry == nullptr) {
      Set(T());
      entry = Living();
    }
    f(entry->value.value);
    Renew(*entry);
  }
  void Clear() {
    Entry* entry = values_.Find(core_.hash(), core_.key());
    if (entry == nullptr) return;
    expiry_.Cancel(entry->value.stamp, entry->hash, [&] { return entry->key; });
    values_.Erase(*entry);
  }

 private:
  using Table = detail::StateTable<Key, detail::Stamped<T>>;
  using Entry = typename Table::Entry;

  Entry* Living() {
    Entry* entry = values_.Find(core_.hash(), core_.key());
    return entry == nullptr || expiry_.IsOver(entry->value.stamp.ends_us, core_.now_us) ? nullptr : entry;
  }
  void Renew(Entry& entry) {
    expiry_.Renew(entry.value.stamp, core_.now_us, entry.hash, [&] { return entry.key; });
    values_.Changed(entry);
  }
  void Clean() override {
    expiry_.PopDue(core_.now_us, [this](std::uint64_t hash, const Key& key) {
      Entry* entry = values_.Find(hash, key);
      if (entry == nullptr) return;
      if (!expiry_.LivesOn(entry->value.stamp, core_.now_us, hash, key)) return values_.Erase(*entry);
      values_.Changed(*entry);
    });
  }

  detail::ProcessCore<Key>& core_;
  const std::string name_;
  Table values_;
  detail::Expiry<Key> expiry_;
};

template <class Key, class T>
class KeyedReduction {
 public:
  // `reduce(T, const T&)` gives the new value.
  KeyedReduction(const detail::ProcessBase<Key>& process, std::string_view name, std::function<T(T, const T&)> reduce,
                 const StateOptions& options = {})
      : value_(process.core(), "ReducingState", name, options), reduce_(std::move(reduce)) {}

  // The first value of a key is taken as it is.
  void Add(T value) {
    const T* sum = value_.Find();
    if (sum == nullptr) return value_.Set(std::move(value));
    value_.Change([&](T& changed) { changed = reduce_(std::move(changed), value); });
  }
  bool Exists() { return value_.Exists(); }
  const T* Find() { return value_.Find(); }
  T Get(T fallback = T()) { return value_.Get(std::move(fallback)); }
  void Clear() { value_.Clear(); }

 private:
  KeyedValue<Key, T> value_;
  const std::function<T(T, const T&)> reduce_;
};

}  // namespace millrace
