// JsonField, JsonFields: single values of a JSON record by their paths, for jobs that need two fields of fifty. Comes
// with json.h.
//
//   millrace::JsonField<std::string_view>(line, "user.name")
//   auto [user, price] = millrace::JsonFields<std::string_view, std::optional<double>>(line, {"user.id", "price"});
//
// A path is names with dots between, and [n] for an element of a list; a name that holds a dot or a bracket cannot be
// said. Types and errors are those of ParseJson; std::optional: nothing when a part of the path is missing or null.
// What lies outside of the paths is not checked. Of a name that is there twice, the first one counts. Any thread.
#pragma once

#include "millrace/formats/json.h"
// json.h first: it includes this at its end.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace millrace {
namespace detail {

// A step of a path: what comes first of it, and is taken off.
struct JsonStep {
  std::string_view name = {};
  std::size_t index = 0;
  bool is_index = false;
};

inline JsonStep TakeJsonStep(std::string_view& path, std::string_view whole) {
  const auto refuse = [&] {
    return std::invalid_argument("\"" + std::string(whole) +
                                 "\" is no path of a JSON field; write it like a.b or items[0].price");
  };
  JsonStep step;
  if (path.starts_with('[')) {
    const std::size_t close = path.find(']');
    const char* const end = path.data() + std::min(close, path.size());
    const auto number = std::from_chars(path.data() + 1, end, step.index);
    if (close == std::string_view::npos || number.ec != std::errc() || number.ptr != end) throw refuse();
    step.is_index = true;
    path.remove_prefix(close + 1);
  } else {
    step.name = path.substr(0, path.find_first_of(".["));
    if (step.name.empty()) throw refuse();
    path.remove_prefix(step.name.size());
  }
  if (path == ".") throw refuse();
  if (path.starts_with('.')) {
    path.remove_prefix(1);
    if (path.starts_with('[')) throw refuse();
  } else if (!path.empty() && path[0] != '[') {
    throw refuse();
  }
  return step;
}

template <class Parent>
simdjson::error_code JsonChild(Parent& parent, const JsonStep& step, ondemand::value& child) {
  if (step.is_index) {
    ondemand::array array;
    const auto error = parent.get_array().get(array);
    return error != simdjson::SUCCESS ? error : array.at(step.index).get(child);
  }
  ondemand::object object;
  const auto error = parent.get_object().get(object);
  return error != simdjson::SUCCESS ? error : object.find_field(step.name).get(child);
}

inline bool IsMissing(simdjson::error_code error) {
  return error == simdjson::NO_SUCH_FIELD || error == simdjson::INDEX_OUT_OF_BOUNDS;
}

template <class T>
T ReadJsonField(JsonDocument& document, std::string_view path) {
  static constexpr JsonOptions kOptions;
  const FieldPath here{nullptr, path};
  std::string_view rest = path;
  ondemand::value value;
  auto error = JsonChild(document.root(), TakeJsonStep(rest, path), value);
  while (error == simdjson::SUCCESS && !rest.empty()) {
    const JsonStep step = TakeJsonStep(rest, path);
    if (kIsOptional<T> && IsJsonNull(value)) return T{};
    ondemand::value child;
    error = JsonChild(value, step, child);
    value = child;
  }
  if (error != simdjson::SUCCESS) {
    while (!rest.empty()) TakeJsonStep(rest, path);  // a path that cannot be is said first
  }
  if (IsMissing(error)) {
    if constexpr (kIsOptional<T>) {
      return T{};
    } else {
      throw FormatError(std::string(path), 0, "this field is missing");
    }
  }
  if (error == simdjson::INCORRECT_TYPE) {
    throw FormatError(std::string(path), 0, "what should hold this field is no object, or no list");
  }
  if (error != simdjson::SUCCESS) document.FailSyntax(here, error);
  T into{};
  ReadJson(value, into, here, JsonPlace{document, kOptions});
  return into;
}

}  // namespace detail

template <class T>
T JsonField(std::string_view record, std::string_view path) {
  detail::JsonDocument document(record);
  return detail::ReadJsonField<T>(document, path);
}

template <class... T>
std::tuple<T...> JsonFields(std::string_view record, const std::array<std::string_view, sizeof...(T)>& paths) {
  detail::JsonDocument document(record);
  std::size_t next = 0;
  const auto read = [&]<class One>(std::type_identity<One>) {
    if (next > 0) document.root().rewind();
    return detail::ReadJsonField<One>(document, paths[next++]);
  };
  return std::tuple<T...>{read(std::type_identity<T>())...};  // braces: in order
}

}  // namespace millrace
