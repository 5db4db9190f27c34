// HashOf(key): the hash that decides which partition a key belongs to. It is the same in every process and on every
// node, today and after a restart, which std::hash does not promise. Strings use XXH3; a std::string and a
// std::string_view of equal text agree.
//
// Known types: integers, enums, bool, floating point (0.0 and -0.0 agree, all NaNs agree), strings, pair, tuple,
// optional, vector, array, and plain structs of those. Another type gets
//
//   template <> struct millrace::Hasher<MyKey> {
//     static std::uint64_t Hash(const MyKey& key) { return millrace::HashOf(key.id()); }
//   };
//
// Keys that KeyEquals calls equal must have equal hashes: a struct with an operator== of its own that ignores a field
// needs a Hasher that ignores it too.
#pragma once

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/internal/mix_bits.h"
#include "millrace/internal/plain_aggregate.h"
#include "millrace/internal/std_types.h"

namespace millrace {

template <class T>
struct Hasher;

template <class T>
concept Hashable = requires(const T& value) {
  { Hasher<T>::Hash(value) } -> std::convertible_to<std::uint64_t>;
};

template <class T>
std::uint64_t HashOf(const T& value) {
  static_assert(Hashable<T>, "this type needs a millrace::Hasher to be a key; see <millrace/hash.h>");
  return Hasher<T>::Hash(value);
}

namespace detail {
constexpr std::uint64_t CombineHashes(std::uint64_t seed, std::uint64_t next) { return MixBits(seed * kGolden + next); }

template <class Range>
std::uint64_t HashRange(const Range& range) {
  std::uint64_t hash = range.size();
  for (const typename Range::value_type& one : range) hash = CombineHashes(hash, HashOf(one));
  return hash;
}
}  // namespace detail

template <std::integral T>
struct Hasher<T> {
  static std::uint64_t Hash(T value) { return detail::MixBits(static_cast<std::uint64_t>(value) + detail::kGolden); }
};

template <class T>
requires std::is_enum_v<T>
struct Hasher<T> {
  static std::uint64_t Hash(T value) { return HashOf(static_cast<std::underlying_type_t<T>>(value)); }
};

template <class T>
requires(std::same_as<T, float> || std::same_as<T, double>) struct Hasher<T> {
  static std::uint64_t Hash(T value) {
    if (value != value) return detail::MixBits(1);
    return HashOf(std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : static_cast<double>(value)));
  }
};

template <>
struct Hasher<std::string_view> {
  static std::uint64_t Hash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }
};
template <>
struct Hasher<std::string> : Hasher<std::string_view> {};

template <class A, class B>
struct Hasher<std::pair<A, B>> {
  static std::uint64_t Hash(const std::pair<A, B>& value) {
    return detail::CombineHashes(HashOf(value.first), HashOf(value.second));
  }
};

template <class... Ts>
struct Hasher<std::tuple<Ts...>> {
  static std::uint64_t Hash(const std::tuple<Ts...>& value) {
    std::uint64_t hash = sizeof...(Ts);
    std::apply([&](const Ts&... parts) { ((hash = detail::CombineHashes(hash, HashOf(parts))), ...); }, value);
    return hash;
  }
};

template <class T>
struct Hasher<std::optional<T>> {
  static std::uint64_t Hash(const std::optional<T>& value) {
    return value ? detail::CombineHashes(1, HashOf(*value)) : detail::MixBits(2);
  }
};

template <class T>
struct Hasher<std::vector<T>> {
  static std::uint64_t Hash(const std::vector<T>& value) { return detail::HashRange(value); }
};
template <class T, std::size_t N>
struct Hasher<std::array<T, N>> {
  static std::uint64_t Hash(const std::array<T, N>& value) { return detail::HashRange(value); }
};

template <class T>
requires kPlainAggregate<T>
struct Hasher<T> {
  static std::uint64_t Hash(const T& value) {
    std::uint64_t hash = boost::pfr::tuple_size_v<T>;
    boost::pfr::for_each_field(value, [&](const auto& field) { hash = detail::CombineHashes(hash, HashOf(field)); });
    return hash;
  }
};

namespace detail {

// What a == b says, without a call for texts as short as most keys are: two loads from each that may overlap.
inline bool TextEquals(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  const auto same = [&]<class Word>(Word) {
    const auto load = [](const char* from) {
      Word word;
      std::memcpy(&word, from, sizeof word);
      return word;
    };
    const std::size_t last = size - sizeof(Word);
    return load(a.data()) == load(b.data()) && load(a.data() + last) == load(b.data() + last);
  };
  if (size > 16) return std::memcmp(a.data(), b.data(), size) == 0;
  if (size >= 8) return same(std::uint64_t{0});
  if (size >= 4) return same(std::uint32_t{0});
  if (size >= 2) return same(std::uint16_t{0});
  return size == 0 || a[0] == b[0];
}

// Are two keys the same? One may be the owned form of the other: ("a", 1) with a std::string and with a
// std::string_view.
template <class A, class B>
bool KeyEquals(const A& a, const B& b) {
  if constexpr (std::is_convertible_v<const A&, std::string_view> &&
                std::is_convertible_v<const B&, std::string_view>) {
    return TextEquals(a, b);
  } else if constexpr (std::is_floating_point_v<A> && std::is_same_v<A, B>) {
    return a == b || (a != a && b != b);
  } else if constexpr (kIsPair<A>) {
    return KeyEquals(a.first, b.first) && KeyEquals(a.second, b.second);
  } else if constexpr (kIsTuple<A>) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (KeyEquals(std::get<I>(a), std::get<I>(b)) && ...);
    }
    (std::make_index_sequence<std::tuple_size_v<A>>());
  } else if constexpr (kIsOptional<A>) {
    return a.has_value() == b.has_value() && (!a || KeyEquals(*a, *b));
  } else if constexpr (kIsVector<A>) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!KeyEquals(a[i], b[i])) return false;
    }
    return true;
  } else if constexpr (requires { static_cast<bool>(a == b); }) {
    return static_cast<bool>(a == b);
  } else {
    static_assert(kPlainAggregate<A> && std::is_same_v<A, B>, "this type needs operator== to be a key");
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (KeyEquals(boost::pfr::get<I>(a), boost::pfr::get<I>(b)) && ...);
    }
    (std::make_index_sequence<boost::pfr::tuple_size_v<A>>());
  }
}

}  // namespace detail
}  // namespace millrace
