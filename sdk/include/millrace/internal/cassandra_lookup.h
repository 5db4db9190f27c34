// How LookupCassandra writes keys, reads rows, and makes options of its options. Keys and rows are values one after the
// other, as cassandra_row.h writes them. What is wrong with the options is refused here, at plan time, as far as it can
// be known without the server. Stateless.
#pragma once

#include <array>
#include <chrono>
#include <cstring>
#include <source_location>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "millrace/internal/cassandra_records.h"

namespace millrace::detail {

template <class T>
constexpr bool IsCassandraKey() {
  if constexpr (kIsCassandraValue<T>) {
    return true;
  } else if constexpr (std::is_same_v<T, CassandraRow>) {
    return false;
  } else {
    return IsCassandraRecord<T>();
  }
}

// The kind of value that a type can be read from; a text is owned, or a view into the row.
template <class T>
constexpr bool IsReadable() {
  if constexpr (kIsCassandraOptional<T>) {
    return IsReadable<typename T::value_type>();
  } else if constexpr (CassandraKindOf<T>() == CassandraKind::kText) {
    return std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;
  } else {
    return kIsCassandraValue<T>;
  }
}
template <class Fields>
inline constexpr bool kAllReadable = false;
template <class... Ts>
inline constexpr bool kAllReadable<std::tuple<const Ts&...>> = (IsReadable<Ts>() && ...);

template <class T>
constexpr bool IsReadableRow() {
  if constexpr (kIsPair<T> || kIsTuple<T> || kIsCassandraStruct<T>) {
    return kAllReadable<decltype(CassandraFields(std::declval<const T&>()))>;
  } else {
    return false;
  }
}

template <class Key>
void AppendCassandraKey(std::string& out, const Key& key) {
  if constexpr (kIsCassandraValue<Key>) {
    AppendCassandraValue(out, key);
  } else {
    std::apply([&out](const auto&... part) { (AppendCassandraValue(out, part), ...); }, CassandraFields(key));
  }
}

// Reads one value. Gives why it cannot be, for people; empty when it is read.
template <class T>
std::string_view ReadCassandraValue(const CassandraField& field, T& out) {
  constexpr CassandraKind kKind = CassandraKindOf<T>();
  if constexpr (kIsCassandraOptional<T>) {
    if (field.kind == CassandraKind::kNull) {
      out.reset();
      return {};
    }
    return ReadCassandraValue(field, out.emplace());
  } else {
    if (field.kind == CassandraKind::kNull) return "is null; make the field a std::optional";
    if (field.kind != kKind) return "has another type than the field";
    if constexpr (kKind == CassandraKind::kBool) {
      out = field.bits != 0;
    } else if constexpr (kKind == CassandraKind::kInteger) {
      out = static_cast<T>(field.integer());
      const bool fits = static_cast<std::int64_t>(out) == field.integer() && (out < T{}) == (field.integer() < 0);
      if (!fits) return "has a number for which the field has no room; make it a std::int64_t";
    } else if constexpr (kKind == CassandraKind::kReal) {
      out = static_cast<T>(field.real());
    } else if constexpr (kKind == CassandraKind::kTimestamp) {
      const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(field.integer())};
      out = std::chrono::floor<typename T::duration>(time);
    } else if constexpr (kKind == CassandraKind::kBlob) {
      out.bytes = field.bytes;
    } else if constexpr (kKind == CassandraKind::kUuid) {
      std::memcpy(out.bytes.data(), field.bytes.data(), out.bytes.size());
    } else {
      out = T(field.bytes);
    }
    return {};
  }
}

template <class T>
auto MutableCassandraFields(T& row) {
  if constexpr (kIsPair<T>) {
    return std::tie(row.first, row.second);
  } else if constexpr (kIsTuple<T>) {
    return std::apply([](auto&... field) { return std::tie(field...); }, row);
  } else {
    return boost::pfr::structure_tie(row);
  }
}

// Reads all fields. Gives what is wrong with the first that cannot be read, and its number in `column`.
template <class Row>
std::string_view ReadCassandraValues(std::string_view bytes, Row& row, std::size_t& column) {
  std::string_view why;
  column = 0;
  const auto read = [&](auto& out) {
    CassandraField field;
    why = ReadCassandraField(bytes, field) ? ReadCassandraValue(field, out) : std::string_view("is damaged");
    if (!why.empty()) return false;
    ++column;
    return true;
  };
  std::apply([&read](auto&... field) { (void)(read(field) && ...); }, MutableCassandraFields(row));
  return why;
}

template <class Key>
std::string CassandraKeyKinds() {
  if constexpr (kIsCassandraValue<Key>) {
    return std::string(kCassandraKindNames[static_cast<int>(CassandraKindOf<Key>())]);
  } else {
    return CassandraKinds<Key>();
  }
}

template <class Key, class Row, class GivenOptions>
engine::Options CassandraLookupMap(const GivenOptions& options, const std::source_location& where) {
  constexpr std::string_view kName = "LookupCassandra";
  engine::Options map = CassandraClientOptions(kName, options, where);
  map["key_columns"] = JoinColumns(kName, "key_columns", options.key_columns, where);
  if constexpr (kIsCassandraValue<Key>) {
    CheckColumnCount<std::tuple<Key>>(kName, "key_columns", options.key_columns, "key", where);
  } else {
    CheckColumnCount<Key>(kName, "key_columns", options.key_columns, "key", where);
  }
  CheckColumnCount<Row>(kName, "columns", options.columns, "row", where);
  if (options.cache_ttl.count() < 0) {
    Refuse(kName, LocationOf(where), "option cache_ttl is negative; 0 means that nothing is kept");
  }
  map["key_kinds"] = CassandraKeyKinds<Key>();
  map["kinds"] = CassandraKinds<Row>();
  map["cache_rows"] = std::to_string(options.cache_rows);
  map["cache_bytes"] = std::to_string(options.cache_bytes);
  map["cache_ttl_ms"] = std::to_string(options.cache_ttl.count());
  return map;
}

}  // namespace millrace::detail
