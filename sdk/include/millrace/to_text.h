// ToText<T>: how Print and the text sinks write a record.
//
//   text as is · numbers in decimal · true, false · ("a", 1) as (a, 1) · a vector as [a, b] · a map as {a: 1} · an
//   empty optional as none · an enum as its number · a plain struct as its fields in braces: {a, 1}
//
// Another type gets a specialisation:
//
//   template <> struct millrace::ToText<Point> {
//     static void Append(std::string& out, const Point& p) { out += p.name(); }
//   };
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "millrace/internal/plain_aggregate.h"

namespace millrace {

template <class T>
struct ToText;

template <class T>
concept HasText = requires(std::string& out, const T& value) {
  ToText<T>::Append(out, value);
};

template <class T>
void AppendText(std::string& out, const T& value) {
  static_assert(HasText<T>, "this type needs a millrace::ToText to be written as text; see <millrace/to_text.h>");
  ToText<T>::Append(out, value);
}

template <class T>
std::string TextOf(const T& value) {
  std::string out;
  AppendText(out, value);
  return out;
}

namespace detail {

// Writes "a, b" for whatever it is called with, one after the other.
class ListText {
 public:
  explicit ListText(std::string& out) : out_(out) {}
  template <class T>
  void operator()(const T& value) {
    Next();
    AppendText(out_, value);
  }
  void Next() {
    if (!first_) out_ += ", ";
    first_ = false;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

template <class Range>
void AppendRangeText(std::string& out, const Range& range) {
  out += '[';
  ListText list(out);
  for (const typename Range::value_type& one : range) list(one);
  out += ']';
}

template <class Map>
void AppendMapText(std::string& out, const Map& map) {
  out += '{';
  ListText list(out);
  for (const auto& [key, value] : map) {
    list(key);
    out += ": ";
    AppendText(out, value);
  }
  out += '}';
}

}  // namespace detail

template <class T>
requires(std::is_arithmetic_v<T> && !std::same_as<T, bool> && !std::same_as<T, char>) struct ToText<T> {
  static void Append(std::string& out, T value) {
    char digits[64];  // a long double needs fewer
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, value);
    out.append(digits, end.ptr);
  }
};
template <>
struct ToText<bool> {
  static void Append(std::string& out, bool value) { out += value ? "true" : "false"; }
};
template <>
struct ToText<char> {
  static void Append(std::string& out, char value) { out += value; }
};
template <class T>
requires std::is_enum_v<T>
struct ToText<T> {
  static void Append(std::string& out, T value) { AppendText(out, static_cast<std::underlying_type_t<T>>(value)); }
};
template <class T>
requires(std::is_convertible_v<const T&, std::string_view> && !kPlainAggregate<T>) struct ToText<T> {
  static void Append(std::string& out, std::string_view text) { out += text; }
};
template <class A, class B>
struct ToText<std::pair<A, B>> {
  static void Append(std::string& out, const std::pair<A, B>& value) {
    out += '(';
    AppendText(out, value.first);
    out += ", ";
    AppendText(out, value.second);
    out += ')';
  }
};
template <class... Ts>
struct ToText<std::tuple<Ts...>> {
  static void Append(std::string& out, const std::tuple<Ts...>& value) {
    out += '(';
    detail::ListText list(out);
    std::apply([&](const Ts&... parts) { (list(parts), ...); }, value);
    out += ')';
  }
};
template <class T>
struct ToText<std::optional<T>> {
  static void Append(std::string& out, const std::optional<T>& value) {
    if (value) {
      AppendText(out, *value);
    } else {
      out += "none";
    }
  }
};
template <class T>
struct ToText<std::vector<T>> {
  static void Append(std::string& out, const std::vector<T>& value) { detail::AppendRangeText(out, value); }
};
template <class T, std::size_t N>
struct ToText<std::array<T, N>> {
  static void Append(std::string& out, const std::array<T, N>& value) { detail::AppendRangeText(out, value); }
};
template <class K, class V>
struct ToText<std::map<K, V>> {
  static void Append(std::string& out, const std::map<K, V>& value) { detail::AppendMapText(out, value); }
};
template <class K, class V>
struct ToText<std::unordered_map<K, V>> {
  static void Append(std::string& out, const std::unordered_map<K, V>& value) { detail::AppendMapText(out, value); }
};
template <class T>
requires kPlainAggregate<T>
struct ToText<T> {
  static constexpr bool kOfFields = true;  // and not its author's own
  static void Append(std::string& out, const T& value) {
    out += '{';
    detail::ListText list(out);
    boost::pfr::for_each_field(value, [&](const auto& field) { list(field); });
    out += '}';
  }
};

}  // namespace millrace
