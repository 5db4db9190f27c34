// Timed<T>: a record and the time at which it happened, the record of an EventStream<T>. And what event-time operators
// give: a WindowResult is what a key's records in one window of time became.
//
//   Timed<Click>{click, 1'700'000'000'000'000}                       // microseconds since the Unix epoch
//   WindowResult<std::string, std::uint64_t>{"home", {start, end}, 42}
//
// Plain data with codec, text form and owned form. Any thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/owned.h"
#include "millrace/to_text.h"

namespace millrace {

using EventTime = std::chrono::sys_time<std::chrono::microseconds>;

template <class T>
struct Timed {
  T value;
  std::int64_t time_us = 0;

  EventTime time() const { return EventTime(std::chrono::microseconds(time_us)); }
  bool operator==(const Timed&) const = default;
};

// The owned form of a record and the record itself, as keys.
template <class A, class B>
requires(!std::is_same_v<A, B>) bool operator==(const Timed<A>& a, const Timed<B>& b) {
  return a.time_us == b.time_us && detail::KeyEquals(a.value, b.value);
}

// Start is inside, end is not.
struct TimeWindow {
  std::int64_t start_us = 0;
  std::int64_t end_us = 0;

  EventTime start() const { return EventTime(std::chrono::microseconds(start_us)); }
  EventTime end() const { return EventTime(std::chrono::microseconds(end_us)); }
  auto operator<=>(const TimeWindow&) const = default;
};

template <class K, class V>
struct WindowResult {
  K key;
  TimeWindow window;
  V value;

  bool operator==(const WindowResult&) const = default;
};

// They say themselves how they are written: the fields may be of types that cannot be listed.
template <class T>
inline constexpr bool kPlainAggregate<Timed<T>> = false;
template <class K, class V>
inline constexpr bool kPlainAggregate<WindowResult<K, V>> = false;

template <class T>
struct Codec<Timed<T>> {
  static void Encode(const Timed<T>& value, ByteWriter& out) {
    out.Signed(value.time_us);
    millrace::Encode(value.value, out);
  }
  static Timed<T> Decode(ByteReader& in) {
    const std::int64_t time_us = in.Signed();
    return Timed<T>{millrace::Decode<T>(in), time_us};
  }
};

template <class K, class V>
struct Codec<WindowResult<K, V>> {
  static void Encode(const WindowResult<K, V>& value, ByteWriter& out) {
    millrace::Encode(value.key, out);
    millrace::Encode(value.window, out);
    millrace::Encode(value.value, out);
  }
  static WindowResult<K, V> Decode(ByteReader& in) {
    return WindowResult<K, V>{millrace::Decode<K>(in), millrace::Decode<TimeWindow>(in), millrace::Decode<V>(in)};
  }
};

template <class T>
struct Hasher<Timed<T>> {
  static std::uint64_t Hash(const Timed<T>& value) {
    return detail::CombineHashes(HashOf(value.value), HashOf(value.time_us));
  }
};

template <class K, class V>
struct Hasher<WindowResult<K, V>> {
  static std::uint64_t Hash(const WindowResult<K, V>& value) {
    return detail::CombineHashes(detail::CombineHashes(HashOf(value.key), HashOf(value.window)), HashOf(value.value));
  }
};

// "value @ 1700000000000000"
template <class T>
requires HasText<T>
struct ToText<Timed<T>> {
  static void Append(std::string& out, const Timed<T>& value) {
    AppendText(out, value.value);
    out += " @ ";
    AppendText(out, value.time_us);
  }
};

// "{key, {start, end}, value}"
template <class K, class V>
requires(HasText<K>&& HasText<V>) struct ToText<WindowResult<K, V>> {
  static void Append(std::string& out, const WindowResult<K, V>& value) {
    out += '{';
    detail::ListText list(out);
    list(value.key);
    list(value.window);
    list(value.value);
    out += '}';
  }
};

template <class T>
struct OwnedTraits<Timed<T>> {
  using Type = Timed<Owned<T>>;
  static Type Own(const Timed<T>& value) { return Type{OwnedTraits<T>::Own(value.value), value.time_us}; }
  static decltype(auto) View(const Type& value) {
    if constexpr (std::is_same_v<Type, Timed<T>>) {
      return (value);
    } else {
      return Timed<T>{OwnedTraits<T>::View(value.value), value.time_us};
    }
  }
};

namespace detail {
template <class T, bool kLook>
struct HoldsViews<Timed<T>, kLook> {
  static constexpr bool kValue = HoldsViews<T, kLook>::kValue;
};
template <class K, class V, bool kLook>
struct HoldsViews<WindowResult<K, V>, kLook> {
  static constexpr bool kValue = HoldsViews<K, kLook>::kValue || HoldsViews<V, kLook>::kValue;
};
}  // namespace detail

}  // namespace millrace
