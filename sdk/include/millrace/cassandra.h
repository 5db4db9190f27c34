// What ToCassandra takes: the sink's options, and values and rows for jobs that make them by hand.
//
//   counts.ToCassandra({.contact_points = "10.0.0.1,10.0.0.2", .keyspace = "shop", .table = "counts",
//                       .columns = {"word", "n"}});                                  // a pair, a tuple or a struct
//   orders.ToCassandra(options, [](const Order& o) {
//     return o.cancelled ? millrace::CassandraRow::Delete({o.id}) : millrace::CassandraRow::Upsert({o.id, o.total});
//   });
//
// A row is an upsert: it sets the columns that it names, whether or not the row was there. All writes of a batch carry
// the batch's time as their timestamp, so that a batch which is written again changes nothing. Several rows of a batch
// with the same primary key are written as one, in which the later ones win.
//
// Values: bool, integers, float and double, texts, CassandraBlob, CassandraUuid, time points, and optionals of these;
// the column may have any type that holds the value. Plain data; no thread rule.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/internal/cassandra_row.h"

namespace millrace {

struct CassandraSinkOptions {
  std::string contact_points = {};  // "host,host:port": any node; the others are found through it
  std::uint16_t port = 9042;        // of contact points that name none
  std::string keyspace = {};
  std::string table = {};
  std::vector<std::string> columns = {};  // in the order of the values; as the table spells them
  std::string consistency = "LOCAL_QUORUM";
  std::string serial_consistency = "SERIAL";  // of the mark: SERIAL or LOCAL_SERIAL
  std::uint32_t ttl = 0;                      // seconds; 0: the table's own
  std::string username = {};                  // empty: no authentication
  std::string password_file = {};             // on every executor; its first line is the password
  bool tls = false;
  std::string tls_ca_file = {};    // on every executor; empty: the machine's own authorities
  std::string tls_cert_file = {};  // with tls_key_file: for servers that ask for a certificate
  std::string tls_key_file = {};
  std::string tls_server_name = {};            // in all nodes' certificates; empty: each node's address
  std::string local_datacenter = {};           // empty: that of the contact point that answers
  std::string marks_table = "millrace_marks";  // in the keyspace; empty: none is kept
  std::uint32_t max_in_flight = 256;           // requests of a partition; fewer when the cluster is overloaded
  std::uint32_t connect_timeout_ms = 5'000;
  std::uint32_t request_timeout_ms = 12'000;
};

struct CassandraBlob {
  std::string bytes;
};

struct CassandraUuid {
  std::array<std::uint8_t, 16> bytes{};
};

// Leaves the column as it is; null deletes its value.
struct CassandraUnset {};

namespace detail {

template <class T>
inline constexpr bool kIsTimePoint = false;
template <class D>
inline constexpr bool kIsTimePoint<std::chrono::sys_time<D>> = true;
template <class T>
inline constexpr bool kIsCassandraOptional = false;
template <class T>
inline constexpr bool kIsCassandraOptional<std::optional<T>> = true;

// Whether a type is a value, and what it travels as. kUnset: it is none.
template <class T>
constexpr CassandraKind CassandraKindOf() {
  if constexpr (std::same_as<T, bool>) {
    return CassandraKind::kBool;
  } else if constexpr (std::integral<T>) {
    return CassandraKind::kInteger;
  } else if constexpr (std::floating_point<T>) {
    return CassandraKind::kReal;
  } else if constexpr (std::same_as<T, CassandraBlob>) {
    return CassandraKind::kBlob;
  } else if constexpr (std::same_as<T, CassandraUuid>) {
    return CassandraKind::kUuid;
  } else if constexpr (kIsTimePoint<T>) {
    return CassandraKind::kTimestamp;
  } else if constexpr (kIsCassandraOptional<T>) {
    return CassandraKindOf<typename T::value_type>();
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return CassandraKind::kText;
  } else {
    return CassandraKind::kUnset;
  }
}

template <class T>
inline constexpr bool kIsCassandraValue = CassandraKindOf<T>() != CassandraKind::kUnset;

template <class T>
void AppendCassandraValue(std::string& out, const T& value) {
  constexpr CassandraKind kKind = CassandraKindOf<T>();
  if constexpr (kIsCassandraOptional<T>) {
    if (value) return AppendCassandraValue(out, *value);
    AppendCassandraKind(out, CassandraKind::kNull);
  } else if constexpr (kKind == CassandraKind::kBool || kKind == CassandraKind::kInteger) {
    if constexpr (std::unsigned_integral<T> && sizeof(T) == 8) {
      if (value > INT64_MAX) throw std::out_of_range("ToCassandra: an integer above 2^63 - 1 fits no column");
    }
    AppendCassandraNumber(out, kKind, static_cast<std::uint64_t>(value));
  } else if constexpr (kKind == CassandraKind::kReal) {
    AppendCassandraNumber(out, kKind, std::bit_cast<std::uint64_t>(static_cast<double>(value)));
  } else if constexpr (kKind == CassandraKind::kTimestamp) {
    const auto us = std::chrono::floor<std::chrono::microseconds>(value.time_since_epoch());
    AppendCassandraNumber(out, kKind, static_cast<std::uint64_t>(us.count()));
  } else if constexpr (kKind == CassandraKind::kBlob) {
    AppendCassandraBytes(out, kKind, value.bytes);
  } else if constexpr (kKind == CassandraKind::kUuid) {
    AppendCassandraBytes(out, kKind, {reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
  } else {
    AppendCassandraBytes(out, CassandraKind::kText, std::string_view(value));
  }
}

}  // namespace detail

// One value of any kind.
class CassandraValue {
 public:
  CassandraValue(CassandraUnset) { detail::AppendCassandraKind(bytes_, detail::CassandraKind::kUnset); }
  CassandraValue(std::nullptr_t) { detail::AppendCassandraKind(bytes_, detail::CassandraKind::kNull); }
  template <class T>
  requires(detail::kIsCassandraValue<T>) CassandraValue(const T& value) { detail::AppendCassandraValue(bytes_, value); }
  CassandraValue(const char* text) : CassandraValue(std::string_view(text)) {}

  const std::string& encoded() const { return bytes_; }

 private:
  std::string bytes_;
};

// A row made by hand, for jobs that delete rows, leave columns unset, or decide at run time. Values come in the order
// of the option columns; those left out at the end are unset.
class CassandraRow {
 public:
  static CassandraRow Upsert(std::initializer_list<CassandraValue> values) {
    return CassandraRow(detail::kCassandraUpsert, values);
  }
  // The row whose primary key these values hold; other columns' values are not looked at.
  static CassandraRow Delete(std::initializer_list<CassandraValue> values) {
    return CassandraRow(detail::kCassandraDelete, values);
  }
  CassandraRow& Add(const CassandraValue& value) {
    bytes_ += value.encoded();
    return *this;
  }
  const std::string& encoded() const { return bytes_; }

 private:
  CassandraRow(char operation, std::initializer_list<CassandraValue> values) : bytes_(1, operation) {
    for (const CassandraValue& value : values) Add(value);
  }
  std::string bytes_;
};

}  // namespace millrace
