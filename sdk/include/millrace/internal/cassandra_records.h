// How ToCassandra makes rows of records (pairs, tuples, plain structs, CassandraRow) and options of its options. What
// is wrong is refused here, at plan time, as far as it can be known without the server. Stateless.
#pragma once

#include <boost/pfr.hpp>
#include <cstddef>
#include <source_location>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/cassandra.h"
#include "millrace/internal/graph.h"
#include "millrace/internal/plain_aggregate.h"
#include "millrace/internal/std_types.h"
#include "millrace/internal/text.h"

namespace millrace::detail {

template <class T>
inline constexpr bool kIsCassandraStruct = kPlainAggregate<T> && !kIsPair<T> && !kIsTuple<T> && !kIsCassandraValue<T>;

// The fields of a record as a tuple of references.
template <class T>
auto CassandraFields(const T& record) {
  if constexpr (kIsPair<T>) {
    return std::tie(record.first, record.second);
  } else if constexpr (kIsTuple<T>) {
    return std::apply([](const auto&... field) { return std::tie(field...); }, record);
  } else {
    return boost::pfr::structure_tie(record);
  }
}

template <class Fields>
inline constexpr bool kAllCassandraValues = false;
template <class... Ts>
inline constexpr bool kAllCassandraValues<std::tuple<const Ts&...>> = (kIsCassandraValue<Ts> && ...);

template <class T>
constexpr bool IsCassandraRecord() {
  if constexpr (kIsPair<T> || kIsTuple<T> || kIsCassandraStruct<T>) {
    return kAllCassandraValues<decltype(CassandraFields(std::declval<const T&>()))>;
  } else {
    return std::is_same_v<T, CassandraRow>;
  }
}

template <class T>
void AppendCassandraRecord(std::string& out, const T& record) {
  if constexpr (std::is_same_v<T, CassandraRow>) {
    out += record.encoded();
  } else {
    out.push_back(kCassandraUpsert);
    std::apply([&out](const auto&... field) { (AppendCassandraValue(out, field), ...); }, CassandraFields(record));
  }
}

// "text,integer": what the fields travel as; empty when that is decided by each row.
template <class T>
std::string CassandraKinds() {
  if constexpr (std::is_same_v<T, CassandraRow>) {
    return {};
  } else {
    using Fields = decltype(CassandraFields(std::declval<const T&>()));
    return []<class... Ts>(std::type_identity<std::tuple<const Ts&...>>) {
      std::string out;
      ((out += Cat(out.empty() ? "" : ",", kCassandraKindNames[static_cast<int>(CassandraKindOf<Ts>())])), ...);
      return out;
    }(std::type_identity<Fields>());
  }
}

// "a,b" of the names that an option holds.
inline std::string JoinColumns(std::string_view op, std::string_view option, const std::vector<std::string>& columns,
                               const std::source_location& where) {
  std::string out;
  for (const std::string& column : columns) {
    RequireOption(op, where, Cat(option, " (a name in it)"), column);
    if (column.find(',') != std::string::npos) {
      Refuse(op, LocationOf(where), Cat("column '", column, "' has a comma; give each column on its own"));
    }
    out += Cat(out.empty() ? "" : ",", column);
  }
  RequireOption(op, where, option, out);
  return out;
}

// One column for each field of `what`, "record" or "row".
template <class T>
void CheckColumnCount(std::string_view op, std::string_view option, const std::vector<std::string>& columns,
                      std::string_view what, const std::source_location& where) {
  constexpr std::size_t kFields = std::tuple_size_v<decltype(CassandraFields(std::declval<const T&>()))>;
  if (columns.size() == kFields) return;
  Refuse(op, LocationOf(where),
         Cat("option ", option, " names ", columns.size(), " columns (", JoinColumns(op, option, columns, where),
             "), but the ", what, " has ", kFields, " fields; name one column for each field, in their order"));
}

// What sink and lookup have in common: how the cluster is reached.
template <class GivenOptions>
engine::Options CassandraClientOptions(std::string_view op, const GivenOptions& options,
                                       const std::source_location& where) {
  RequireOption(op, where, "contact_points", options.contact_points);
  RequireOption(op, where, "keyspace", options.keyspace);
  RequireOption(op, where, "table", options.table);
  return {{"contact_points", options.contact_points},
          {"port", std::to_string(options.port)},
          {"keyspace", options.keyspace},
          {"table", options.table},
          {"columns", JoinColumns(op, "columns", options.columns, where)},
          {"consistency", options.consistency},
          {"username", options.username},
          {"password_file", options.password_file},
          {"tls", options.tls ? "true" : "false"},
          {"tls_ca_file", options.tls_ca_file},
          {"tls_cert_file", options.tls_cert_file},
          {"tls_key_file", options.tls_key_file},
          {"tls_server_name", options.tls_server_name},
          {"local_datacenter", options.local_datacenter},
          {"max_in_flight", std::to_string(options.max_in_flight)},
          {"connect_timeout_ms", std::to_string(options.connect_timeout_ms)},
          {"request_timeout_ms", std::to_string(options.request_timeout_ms)}};
}

template <class T>
engine::Options CassandraRowOptions(const CassandraSinkOptions& options, const std::source_location& where) {
  engine::Options map = CassandraClientOptions("ToCassandra", options, where);
  if constexpr (!std::is_same_v<T, CassandraRow>) {
    CheckColumnCount<T>("ToCassandra", "columns", options.columns, "record", where);
  }
  map["kinds"] = CassandraKinds<T>();
  map["serial_consistency"] = options.serial_consistency;
  map["ttl"] = std::to_string(options.ttl);
  map["marks_table"] = options.marks_table;
  return map;
}

}  // namespace millrace::detail
