// A value as JSON text: structs by their fields (see fields.h), text, numbers, bool, enums, optional, vector, array,
// maps with text as keys, and nestings of them.
//
//   totals.Map([](const Total& total) { return millrace::ToJson(total); }).ToKafka({.brokers = b, .topic = "totals"});
//
// On one line, without blanks, fields in the order of their list. Numbers are the shortest text that reads back as the
// same number. An optional field without a value is left out; in a list it is null. Errors: FormatError for what JSON
// cannot hold: infinity, not-a-number, text that is not UTF-8. It needs no library. Stateless: any thread.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "millrace/formats/fields.h"
#include "millrace/formats/format_error.h"
#include "millrace/internal/plain_aggregate.h"
#include "millrace/internal/std_types.h"

namespace millrace {

template <class T>
void AppendJson(std::string& out, const T& value);

template <class T>
std::string ToJson(const T& value) {
  std::string out;
  AppendJson(out, value);
  return out;
}

namespace detail {

// How many bytes the UTF-8 character at the begin of text takes; 0: it is none.
inline std::size_t Utf8Length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && at(1) < 0xA0;
    const bool surrogate = first == 0xED && at(1) > 0x9F;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool outside = (first == 0xF0 && at(1) < 0x90) || (first == 0xF4 && at(1) > 0x8F);
    return follows(1) && follows(2) && follows(3) && !outside ? 4 : 0;
  }
  return 0;
}

inline void AppendJsonEscape(std::string& out, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    default:
      out += "\\u00";
      out += kHex[(static_cast<unsigned char>(c) >> 4) & 15];
      out += kHex[static_cast<unsigned char>(c) & 15];
  }
}

inline void AppendJsonText(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // begin of what can be copied as it is
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      const std::size_t length = Utf8Length(text.substr(i));
      if (length == 0) throw FormatError("", i, "this text is not UTF-8, and JSON is: " + Found(text.substr(0, i)));
      i += length;
    } else if (c < 0x20 || c == '"' || c == '\\') {
      out.append(text, plain, i - plain);
      AppendJsonEscape(out, text[i]);
      plain = ++i;
    } else {
      ++i;
    }
  }
  out.append(text, plain);
  out += '"';
}

template <class T>
void AppendNumber(std::string& out, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) throw FormatError("", 0, "JSON has no number for " + std::to_string(value));
  }
  char digits[64];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

template <class Range, class One>
void AppendJsonList(std::string& out, const char* braces, const Range& range, const One& one) {
  out += braces[0];
  bool first = true;
  for (const auto& element : range) {
    if (!first) out += ',';
    first = false;
    one(element);
  }
  out += braces[1];
}

template <class T>
void AppendJsonStruct(std::string& out, const T& value) {
  out += '{';
  bool first = true;
  const auto write = [&](const auto& field) {
    const auto& member = value.*(field.member);
    if constexpr (kIsOptional<std::remove_cvref_t<decltype(member)>>) {
      if (!member.has_value()) return;
    }
    if (!first) out += ',';
    first = false;
    AppendJsonText(out, field.name);
    out += ':';
    AppendJson(out, member);
  };
  std::apply([&](const auto&... field) { (write(field), ...); }, kFieldsOf<T>);
  out += '}';
}

template <class T>
inline constexpr bool kIsTextMap = false;
template <class V>
inline constexpr bool kIsTextMap<std::map<std::string, V>> = true;
template <class V>
inline constexpr bool kIsTextMap<std::unordered_map<std::string, V>> = true;

template <class T>
inline constexpr bool kNoJson = false;

}  // namespace detail

template <class T>
void AppendJson(std::string& out, const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    detail::AppendJsonText(out, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    if constexpr (std::is_same_v<T, char>) {
      detail::AppendNumber(out, static_cast<int>(value));
    } else {
      detail::AppendNumber(out, value);
    }
  } else if constexpr (HasEnumNames<T>) {
    const std::string_view name = detail::NameOfEnum(value);
    if (name.data() == nullptr) throw FormatError("", 0, "an enum has a value without a name in MILLRACE_ENUM");
    detail::AppendJsonText(out, name);
  } else if constexpr (std::is_enum_v<T>) {
    AppendJson(out, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (detail::kIsOptional<T>) {
    value.has_value() ? AppendJson(out, *value) : void(out += "null");
  } else if constexpr (detail::kIsVector<T> || detail::kIsStdArray<T>) {
    detail::AppendJsonList(out, "[]", value,
                           [&](const auto& element) { AppendJson<typename T::value_type>(out, element); });
  } else if constexpr (detail::kIsTextMap<T>) {
    detail::AppendJsonList(out, "{}", value, [&](const auto& entry) {
      detail::AppendJsonText(out, entry.first);
      out += ':';
      AppendJson(out, entry.second);
    });
  } else if constexpr (HasFields<T>) {
    detail::AppendJsonStruct(out, value);
  } else {
    static_assert(detail::kNoJson<T>,
                  "this type has no JSON form: list its fields with MILLRACE_FIELDS beside the struct; see "
                  "<millrace/formats/fields.h>");
  }
}

}  // namespace millrace
