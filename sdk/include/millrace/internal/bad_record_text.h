// What is known of a record as text, for dead letters: best effort, for every record type, and without asking its
// author for anything. Known types as ToText writes them; other types by their own ToText; a struct without one, and
// whatever has no text at all, by the name of its type. Stateless.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "millrace/internal/std_types.h"
#include "millrace/internal/type_name.h"
#include "millrace/to_text.h"

namespace millrace::detail {

template <class T>
void AppendKnown(std::string& out, const T& value);

template <class Range, class One>
void AppendList(std::string& out, const char* braces, const Range& range, const One& one) {
  const std::size_t begin = out.size();
  for (const auto& element : range) {
    out += out.size() == begin ? std::string_view(braces, 1) : std::string_view(", ");
    one(element);
  }
  if (out.size() == begin) out += braces[0];
  out += braces[1];
}

template <class T>
inline constexpr bool kIsMap = false;
template <class K, class V>
inline constexpr bool kIsMap<std::map<K, V>> = true;
template <class K, class V>
inline constexpr bool kIsMap<std::unordered_map<K, V>> = true;

// Not by the fields of a struct: it may be one whose fields nobody can list.
template <class T>
void AppendKnown(std::string& out, const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    out += std::string_view(value);
  } else if constexpr (kIsPair<T>) {
    out += '(';
    AppendKnown(out, value.first);
    out += ", ";
    AppendKnown(out, value.second);
    out += ')';
  } else if constexpr (kIsTuple<T>) {
    out += '(';
    std::size_t at = 0;
    std::apply([&](const auto&... part) { ((out += at++ == 0 ? "" : ", ", AppendKnown(out, part)), ...); }, value);
    out += ')';
  } else if constexpr (kIsOptional<T>) {
    value ? AppendKnown(out, *value) : void(out += "none");
  } else if constexpr (kIsVector<T> || kIsStdArray<T>) {
    AppendList(out, "[]", value, [&](const typename T::value_type& one) { AppendKnown(out, one); });
  } else if constexpr (kIsMap<T>) {
    AppendList(out, "{}", value, [&](const typename T::value_type& one) {
      AppendKnown(out, one.first);
      out += ": ";
      AppendKnown(out, one.second);
    });
  } else if constexpr (HasText<T> && !requires { ToText<T>::kOfFields; }) {
    AppendText(out, value);
  } else {
    out += '<' + TypeName<T>() + '>';
  }
}

}  // namespace millrace::detail
