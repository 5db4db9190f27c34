// Owned<T>: what a record becomes when it must outlive the call that brought it.
//
// Text flows through a job as std::string_view into the buffers of the source: nothing is copied until something is
// kept. What is kept (keys and values in hash tables, the records of a group, the rows of ForEachBatch) is Owned<T>:
//
//   Owned<std::string_view>                    std::string
//   Owned<std::pair<std::string_view, int>>    std::pair<std::string, int>      also tuple, optional, vector
//   Owned<anything else>                       itself
//
// So after ReduceByKey a DStream<std::pair<std::string_view, V>> is a DStream<std::pair<std::string, V>>.
// A view type of your own gets a specialisation of OwnedTraits with Type, Own and View. A struct with std::string_view
// members has none, and operators that would keep it refuse to compile: use std::string members, or specialise.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/internal/plain_aggregate.h"

namespace millrace {

template <class T>
struct OwnedTraits {
  using Type = T;
  static const T& Own(const T& value) { return value; }
  static const T& View(const T& value) { return value; }
};

template <class T>
using Owned = typename OwnedTraits<T>::Type;

// A copy that owns all it points to.
template <class T>
Owned<T> ToOwned(const T& value) {
  return OwnedTraits<T>::Own(value);
}

// The record as operators see it: a reference, or a view into `value`, which must outlive it.
template <class T>
decltype(auto) ViewOf(const Owned<T>& value) {
  return OwnedTraits<T>::View(value);
}

namespace detail {
template <class T>
inline constexpr bool kOwnsItself = std::is_same_v<Owned<T>, T>;
}  // namespace detail

template <>
struct OwnedTraits<std::string_view> {
  using Type = std::string;
  static std::string Own(std::string_view value) { return std::string(value); }
  static std::string_view View(const std::string& value) { return value; }
};

template <class A, class B>
struct OwnedTraits<std::pair<A, B>> {
  using Type = std::pair<Owned<A>, Owned<B>>;
  static Type Own(const std::pair<A, B>& value) {
    return Type(OwnedTraits<A>::Own(value.first), OwnedTraits<B>::Own(value.second));
  }
  static decltype(auto) View(const Type& value) {
    if constexpr (std::is_same_v<Type, std::pair<A, B>>) {
      return (value);
    } else {
      return std::pair<A, B>(OwnedTraits<A>::View(value.first), OwnedTraits<B>::View(value.second));
    }
  }
};

template <class... Ts>
struct OwnedTraits<std::tuple<Ts...>> {
  using Type = std::tuple<Owned<Ts>...>;
  static Type Own(const std::tuple<Ts...>& value) {
    return std::apply([](const Ts&... parts) { return Type(OwnedTraits<Ts>::Own(parts)...); }, value);
  }
  static decltype(auto) View(const Type& value) {
    if constexpr (std::is_same_v<Type, std::tuple<Ts...>>) {
      return (value);
    } else {
      return std::apply([](const Owned<Ts>&... parts) { return std::tuple<Ts...>(OwnedTraits<Ts>::View(parts)...); },
                        value);
    }
  }
};

template <class T>
struct OwnedTraits<std::optional<T>> {
  using Type = std::optional<Owned<T>>;
  static Type Own(const std::optional<T>& value) { return value ? Type(OwnedTraits<T>::Own(*value)) : Type(); }
  static decltype(auto) View(const Type& value) {
    if constexpr (detail::kOwnsItself<T>) {
      return (value);
    } else {
      return value ? std::optional<T>(OwnedTraits<T>::View(*value)) : std::optional<T>();
    }
  }
};

template <class T>
struct OwnedTraits<std::vector<T>> {
  using Type = std::vector<Owned<T>>;
  static Type Own(const std::vector<T>& value) {
    if constexpr (detail::kOwnsItself<T>) {
      return value;
    } else {
      Type owned;
      owned.reserve(value.size());
      for (const T& one : value) owned.push_back(OwnedTraits<T>::Own(one));
      return owned;
    }
  }
  static decltype(auto) View(const Type& value) {
    if constexpr (detail::kOwnsItself<T>) {
      return (value);
    } else {
      std::vector<T> views;
      views.reserve(value.size());
      for (const Owned<T>& one : value) views.push_back(OwnedTraits<T>::View(one));
      return views;
    }
  }
};

namespace detail {

// Whether a type visibly holds views, so that keeping it would keep dangling pointers. It does not look into structs
// inside of vectors: a struct may hold a vector of itself.
template <class T, bool kLookIntoStructs = true>
struct HoldsViews {
  template <std::size_t... I>
  static constexpr bool AnyField(std::index_sequence<I...>) {
    return (HoldsViews<boost::pfr::tuple_element_t<I, T>>::kValue || ...);
  }
  static constexpr bool Look() {
    if constexpr (kLookIntoStructs && kPlainAggregate<T>) {
      return AnyField(std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
    } else {
      return false;
    }
  }
  static constexpr bool kValue = Look();
};
template <bool kLook>
struct HoldsViews<std::string_view, kLook> {
  static constexpr bool kValue = true;
};
template <class T, std::size_t N, bool kLook>
struct HoldsViews<std::span<T, N>, kLook> {
  static constexpr bool kValue = true;
};
template <class A, class B, bool kLook>
struct HoldsViews<std::pair<A, B>, kLook> {
  static constexpr bool kValue = HoldsViews<A, kLook>::kValue || HoldsViews<B, kLook>::kValue;
};
template <class... Ts, bool kLook>
struct HoldsViews<std::tuple<Ts...>, kLook> {
  static constexpr bool kValue = (HoldsViews<Ts, kLook>::kValue || ...);
};
template <class T, bool kLook>
struct HoldsViews<std::optional<T>, kLook> {
  static constexpr bool kValue = HoldsViews<T, kLook>::kValue;
};
template <class T, bool kLook>
struct HoldsViews<std::vector<T>, kLook> {
  static constexpr bool kValue = HoldsViews<T, false>::kValue;
};

// May a task keep records of type T? Operators that do say so with this in a static_assert.
template <class T>
inline constexpr bool kCanBeKept = !HoldsViews<Owned<T>>::kValue && std::is_copy_constructible_v<T>;

}  // namespace detail
}  // namespace millrace
