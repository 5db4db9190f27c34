// JSON records as structs, and single fields of them; read with simdjson. A job that includes this is built with
// millrace_add_job(… FORMATS json).
//
//   struct Click { std::string_view user; std::uint32_t ad; std::optional<double> price; };
//   MILLRACE_FIELDS(Click, user, ad, price)                                   // see fields.h
//   auto clicks = lines.Map([](std::string_view line) { return millrace::ParseJson<Click>(line); });
//   auto users = lines.Map([](std::string_view line) { return millrace::JsonField<std::string>(line, "user.name"); });
//   clicks.BadRecords()                                                       // what could not be read
//
// Types: structs, text, bool, integers (in their range), float, double, enums, optional (null or missing: empty),
// vector, std::array (its length exactly), maps with std::string as keys. A std::string_view is a view into the record,
// and so lives as long as it; text with escapes (\n, \u00e9) has no such place: there it is an error, and std::string
// is right for every text. The order of fields does not matter; of a field that is there twice the last one counts.
//
// Errors: FormatError, which makes a bad record. What is skipped (unknown fields) is checked for closed strings and
// brackets and UTF-8 alone. Nothing is allocated for a record but what its own strings and vectors need. Any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include "millrace/formats/json_document.h"

#include "millrace/formats/fields.h"
#include "millrace/formats/format_error.h"
#include "millrace/formats/json_writer.h"
#include "millrace/internal/plain_aggregate.h"
#include "millrace/internal/std_types.h"

namespace millrace {

struct JsonOptions {
  bool refuse_unknown = false;        // a field that the struct does not have is an error
  bool missing_keep_default = false;  // a missing field keeps what the struct gives it; else only those Defaulted()
};

namespace detail {

inline constexpr int kJsonDepth = 100;  // nested values of a type that holds itself

struct JsonPlace {
  JsonDocument& document;
  const JsonOptions& options;
  int depth = 0;
};

template <class T>
void ReadJson(ondemand::value value, T& into, const FieldPath& path, const JsonPlace& place);

inline bool IsJsonNull(ondemand::value& value) {
  const std::string_view token = JsonDocument::Token(value);
  return !token.empty() && token[0] == 'n' && token == "null";
}

inline void ReadJsonView(ondemand::value& value, std::string_view& into, const FieldPath& path,
                         const JsonPlace& place) {
  const std::string_view token = JsonDocument::Token(value);
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') place.document.FailWanted(path, "text", token);
  const std::string_view text = token.substr(1, token.size() - 2);
  if (text.find('\\') != std::string_view::npos) {
    place.document.FailWanted(
        path, "text without escapes (or a member of type std::string instead of std::string_view)", token);
  }
  into = place.document.InRecord(text);
}

inline void ReadJsonText(ondemand::value& value, std::string& into, const FieldPath& path, const JsonPlace& place) {
  const std::string_view token = JsonDocument::Token(value);
  std::string_view text;
  const auto error = value.get_string().get(text);
  if (error == simdjson::INCORRECT_TYPE) place.document.FailWanted(path, "text", token);
  if (error != simdjson::SUCCESS) place.document.FailWanted(path, "text with valid escapes", token);
  into.assign(text);
}

template <class T>
void ReadJsonInteger(ondemand::value& value, T& into, const FieldPath& path, const JsonPlace& place) {
  using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
  const std::string_view token = JsonDocument::Token(value);
  Wide wide = 0;
  simdjson::error_code error;
  if constexpr (std::is_signed_v<T>) {
    error = value.get_int64().get(wide);
  } else {
    error = value.get_uint64().get(wide);
  }
  if (error != simdjson::SUCCESS || !std::in_range<T>(wide)) {
    place.document.FailWanted(path, IntegerWanted<T>(), token);
  }
  into = static_cast<T>(wide);
}

template <class T>
void ReadJsonFloat(ondemand::value& value, T& into, const FieldPath& path, const JsonPlace& place) {
  const std::string_view token = JsonDocument::Token(value);
  double wide = 0;
  if (value.get_double().get(wide) != simdjson::SUCCESS || std::fabs(wide) > std::numeric_limits<T>::max()) {
    place.document.FailWanted(path, sizeof(T) == sizeof(float) ? "a number that a float holds" : "a number", token);
  }
  into = static_cast<T>(wide);
}

inline void ReadJsonBool(ondemand::value& value, bool& into, const FieldPath& path, const JsonPlace& place) {
  const std::string_view token = JsonDocument::Token(value);
  if (value.get_bool().get(into) != simdjson::SUCCESS) place.document.FailWanted(path, "true or false", token);
}

template <class E>
void ReadJsonEnum(ondemand::value& value, E& into, const FieldPath& path, const JsonPlace& place) {
  if constexpr (HasEnumNames<E>) {
    const std::string_view token = JsonDocument::Token(value);
    for (const EnumName<E>& one : MillraceNames(static_cast<const E*>(nullptr))) {
      if (token.size() == one.name.size() + 2 && token[0] == '"' && token.substr(1, one.name.size()) == one.name) {
        into = one.value;
        return;
      }
    }
    std::string wanted = "one of";
    for (const EnumName<E>& one : MillraceNames(static_cast<const E*>(nullptr))) wanted += ' ' + std::string(one.name);
    place.document.FailWanted(path, wanted, token);
  } else {
    std::underlying_type_t<E> number{};
    ReadJsonInteger(value, number, path, place);
    into = static_cast<E>(number);
  }
}

// each(element, index)
template <class F>
void ReadJsonArray(ondemand::value& value, const FieldPath& path, const JsonPlace& place, const F& each) {
  const std::string_view token = JsonDocument::Token(value);
  ondemand::array array;
  const auto error = value.get_array().get(array);
  if (error == simdjson::INCORRECT_TYPE) place.document.FailWanted(path, "a list", token);
  if (error != simdjson::SUCCESS) place.document.FailSyntax(path, error);
  std::size_t index = 0;
  for (auto entry : array) {
    const FieldPath here{&path, {}, index};
    ondemand::value element;
    if (const auto bad = std::move(entry).get(element); bad != simdjson::SUCCESS) place.document.FailSyntax(here, bad);
    each(element, index++, here);
  }
}

template <class T>
void ReadJsonVector(ondemand::value& value, T& into, const FieldPath& path, const JsonPlace& place) {
  into.clear();
  ReadJsonArray(value, path, place, [&](ondemand::value& element, std::size_t, const FieldPath& here) {
    typename T::value_type one{};  // not in place: vector<bool>
    ReadJson(element, one, here, place);
    into.push_back(std::move(one));
  });
}

template <class T>
void ReadJsonFixed(ondemand::value& value, T& into, const FieldPath& path, const JsonPlace& place) {
  const std::string_view token = JsonDocument::Token(value);
  std::size_t count = 0;
  ReadJsonArray(value, path, place, [&](ondemand::value& element, std::size_t index, const FieldPath& here) {
    if (index < into.size()) ReadJson(element, into[index], here, place);
    count = index + 1;
  });
  if (count != into.size()) {
    place.document.FailWanted(
        path, "a list of " + std::to_string(into.size()) + " elements, not of " + std::to_string(count), token);
  }
}

inline void CheckJson(simdjson::error_code error, const FieldPath& path, const JsonPlace& place) {
  if (error != simdjson::SUCCESS) place.document.FailSyntax(path, error);
}

template <class T>
void ReadJsonMap(ondemand::object& object, T& into, const FieldPath& path, const JsonPlace& place) {
  into.clear();
  for (auto entry : object) {
    ondemand::field field;
    CheckJson(std::move(entry).get(field), path, place);
    std::string_view name;
    CheckJson(field.unescaped_key().get(name), path, place);
    const std::string key(name);
    ReadJson(field.value(), into[key], FieldPath{&path, key}, place);
  }
}

// The index of the field of that name; kFieldCount: there is none. The one that is likely first.
template <class T>
std::size_t MatchJsonField(ondemand::field& field, std::size_t likely, const FieldPath& path, const JsonPlace& place) {
  constexpr std::size_t kCount = kFieldCount<T>;
  const ondemand::raw_json_string key = field.key();
  static constexpr auto kNames =
      std::apply([](const auto&... one) { return std::array<std::string_view, kCount>{one.name...}; }, kFieldsOf<T>);
  if (likely < kCount && key.unsafe_is_equal(kNames[likely])) return likely;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (key.unsafe_is_equal(kNames[i])) return i;
  }
  const std::string_view raw = place.document.RawName(key.raw());
  if (raw.find('\\') == std::string_view::npos) return kCount;
  std::string_view name;
  CheckJson(field.unescaped_key().get(name), path, place);
  for (std::size_t i = 0; i < kCount; ++i) {
    if (name == kNames[i]) return i;
  }
  return kCount;
}

template <class T>
void ReadJsonStruct(ondemand::object& object, T& into, const FieldPath& path, const JsonPlace& place,
                    std::size_t begin) {
  constexpr std::size_t kCount = kFieldCount<T>;
  bool seen[kCount + 1] = {};
  std::size_t likely = 0;
  for (auto entry : object) {
    ondemand::field field;
    CheckJson(std::move(entry).get(field), path, place);
    const char* const key = field.key().raw();
    const std::size_t found = MatchJsonField<T>(field, likely, path, place);
    if (found == kCount && place.options.refuse_unknown) {
      const std::string_view name = place.document.RawName(key);
      JsonDocument::Fail(path, place.document.Offset(name.data()), "there is a field that is not known", name);
    }
    seen[found] = true;
    likely = found + 1;
    ForEachFieldIndex<T>([&](auto index) {
      if (index != found) return;
      const auto& one = std::get<index>(kFieldsOf<T>);
      ReadJson(field.value(), into.*(one.member), FieldPath{&path, one.name}, place);
    });
  }
  ForEachFieldIndex<T>([&](auto index) {
    const auto& one = std::get<index>(kFieldsOf<T>);
    constexpr bool kOptional = kIsOptional<std::remove_cvref_t<decltype(into.*(one.member))>>;
    if (seen[index] || kOptional || one.defaulted || place.options.missing_keep_default) return;
    throw FormatError(FieldPath{&path, one.name}.Text(), begin, "this field is missing in the object that begins here");
  });
}

template <class T>
void ReadJsonObject(ondemand::value& value, T& into, const FieldPath& path, const JsonPlace& place) {
  const std::string_view token = JsonDocument::Token(value);
  ondemand::object object;
  const auto error = value.get_object().get(object);
  if (error == simdjson::INCORRECT_TYPE) place.document.FailWanted(path, "an object", token);
  CheckJson(error, path, place);
  const JsonPlace inside{place.document, place.options, place.depth + 1};
  if (inside.depth > kJsonDepth) place.document.FailWanted(path, "fewer than 100 levels of nesting", token);
  if constexpr (kIsTextMap<T>) {
    ReadJsonMap(object, into, path, inside);
  } else {
    ReadJsonStruct(object, into, path, inside, place.document.Offset(token.data()));
  }
}

template <class T>
void ReadJson(ondemand::value value, T& into, const FieldPath& path, const JsonPlace& place) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    ReadJsonView(value, into, path, place);
  } else if constexpr (std::is_same_v<T, std::string>) {
    ReadJsonText(value, into, path, place);
  } else if constexpr (std::is_same_v<T, bool>) {
    ReadJsonBool(value, into, path, place);
  } else if constexpr (std::is_integral_v<T>) {
    ReadJsonInteger(value, into, path, place);
  } else if constexpr (std::is_floating_point_v<T>) {
    static_assert(sizeof(T) <= sizeof(double), "JSON numbers are read as double: use double instead of long double");
    ReadJsonFloat(value, into, path, place);
  } else if constexpr (std::is_enum_v<T>) {
    ReadJsonEnum(value, into, path, place);
  } else if constexpr (kIsOptional<T>) {
    if (IsJsonNull(value)) {
      into.reset();
    } else {
      ReadJson(value, into.emplace(), path, place);
    }
  } else if constexpr (kIsVector<T>) {
    ReadJsonVector(value, into, path, place);
  } else if constexpr (kIsStdArray<T>) {
    ReadJsonFixed(value, into, path, place);
  } else if constexpr (kIsTextMap<T> || HasFields<T>) {
    ReadJsonObject(value, into, path, place);
  } else {
    static_assert(kNoJson<T>,
                  "this type cannot be read from JSON: list its fields with MILLRACE_FIELDS beside the struct; see "
                  "<millrace/formats/fields.h>");
  }
}

}  // namespace detail

// A record that is one JSON object (or, for maps, any object) and nothing else.
template <class T>
void ParseJson(std::string_view record, T& into, const JsonOptions& options = {}) {
  static_assert(HasFields<T> || detail::kIsTextMap<T>,
                "ParseJson reads a struct whose fields are listed: write MILLRACE_FIELDS(Type, member, …) beside the "
                "struct; see <millrace/formats/fields.h>");
  detail::JsonDocument document(record);
  const detail::FieldPath path;
  const detail::JsonPlace place{document, options};
  const std::string_view first = record.substr(std::min(record.find_first_not_of(" \t\r\n"), record.size()));
  detail::ondemand::object object;
  const auto error = document.root().get_object().get(object);
  if (error == simdjson::INCORRECT_TYPE) {
    throw FormatError("", 0, "an object is needed, and there is " + detail::Found(first));
  }
  detail::CheckJson(error, path, place);
  if constexpr (HasFields<T>) {
    detail::ReadJsonStruct(object, into, path, place, record.size() - first.size());
  } else {
    detail::ReadJsonMap(object, into, path, place);
  }
  if (!document.AtEnd()) document.FailSyntax(path, simdjson::TRAILING_CONTENT);
}
template <class T>
T ParseJson(std::string_view record, const JsonOptions& options = {}) {
  T value{};
  ParseJson(record, value, options);
  return value;
}

}  // namespace millrace

#include "millrace/formats/json_field.h"
