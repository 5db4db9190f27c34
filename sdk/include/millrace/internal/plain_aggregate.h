// Which types are plain structs, whose fields Boost.PFR can list: they get a codec, a hash and a text form without a
// line of code. A struct that PFR cannot take apart (it has a base class or a C array) is told apart by its author:
//
//   template <> inline constexpr bool millrace::kPlainAggregate<MyMessage> = false;
#pragma once

#include <array>
#include <boost/pfr.hpp>
#include <cstddef>
#include <type_traits>

namespace millrace {

namespace detail {
template <class T>
inline constexpr bool kIsStdArray = false;
template <class T, std::size_t N>
inline constexpr bool kIsStdArray<std::array<T, N>> = true;
}  // namespace detail

template <class T>
inline constexpr bool kPlainAggregate = std::is_class_v<T>&& std::is_aggregate_v<T> && !detail::kIsStdArray<T>;

}  // namespace millrace
