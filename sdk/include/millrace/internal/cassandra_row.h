// How a row for Cassandra travels from a job to the sink: an operation, then the values in the order of the sink's
// columns, each with its kind before it. Written by ToCassandra, read by the connector.
//
//   row := 'U' value*                upsert
//        | 'D' value*                delete; the values of the primary key
//   value := kind, payload           bool: 1 byte; integer, real, timestamp: 8 bytes, little endian; uuid: 16 bytes;
//                                    text, blob: 4 bytes of length, little endian, and the bytes
//
// Errors: a reader of damaged bytes gives false. Stateless.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::detail {

enum class CassandraKind : std::uint8_t {
  kUnset = 0,
  kNull = 1,
  kBool = 2,
  kInteger = 3,
  kReal = 4,
  kText = 5,
  kBlob = 6,
  kUuid = 7,
  kTimestamp = 8,  // microseconds since the epoch
};
inline constexpr std::string_view kCassandraKindNames[] = {"unset", "null", "bool", "integer",  "real",
                                                           "text",  "blob", "uuid", "timestamp"};

inline constexpr char kCassandraUpsert = 'U';
inline constexpr char kCassandraDelete = 'D';

inline void AppendFixed64(std::string& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}
inline void AppendCassandraKind(std::string& out, CassandraKind kind) { out.push_back(static_cast<char>(kind)); }
inline void AppendCassandraNumber(std::string& out, CassandraKind kind, std::uint64_t bits) {
  AppendCassandraKind(out, kind);
  if (kind == CassandraKind::kBool) {
    out.push_back(static_cast<char>(bits));
  } else {
    AppendFixed64(out, bits);
  }
}
inline void AppendCassandraBytes(std::string& out, CassandraKind kind, std::string_view bytes) {
  AppendCassandraKind(out, kind);
  if (kind != CassandraKind::kUuid) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(bytes.size() >> shift));
  }
  out += bytes;
}

// A value as the sink reads it; views into the row.
struct CassandraField {
  CassandraKind kind = CassandraKind::kUnset;
  std::uint64_t bits = 0;  // of bool, integer, real, timestamp
  std::string_view bytes;  // of text, blob, uuid

  std::int64_t integer() const { return static_cast<std::int64_t>(bits); }
  double real() const { return std::bit_cast<double>(bits); }
};

inline std::uint64_t ReadFixed(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = (value << 8) | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

inline bool ReadCassandraField(std::string_view& left, CassandraField& out) {
  const auto take = [&left](std::size_t size, std::string_view& bytes) {
    if (left.size() < size) return false;
    bytes = left.substr(0, size);
    left.remove_prefix(size);
    return true;
  };
  std::string_view part;
  if (!take(1, part)) return false;
  out = {static_cast<CassandraKind>(part[0]), 0, {}};
  switch (out.kind) {
    case CassandraKind::kUnset:
    case CassandraKind::kNull:
      return true;
    case CassandraKind::kBool:
    case CassandraKind::kInteger:
    case CassandraKind::kReal:
    case CassandraKind::kTimestamp:
      if (!take(out.kind == CassandraKind::kBool ? 1 : 8, part)) return false;
      out.bits = ReadFixed(part);
      return true;
    case CassandraKind::kText:
    case CassandraKind::kBlob:
      return take(4, part) && take(ReadFixed(part), out.bytes);
    case CassandraKind::kUuid:
      return take(16, out.bytes);
  }
  return false;
}

// False when the row is damaged or has more than `columns` values. Values that are left out at the end are unset.
inline bool ReadCassandraRow(std::string_view row, std::size_t columns, char& operation,
                             std::vector<CassandraField>& fields) {
  fields.clear();
  if (row.empty() || (row[0] != kCassandraUpsert && row[0] != kCassandraDelete)) return false;
  operation = row[0];
  row.remove_prefix(1);
  while (!row.empty()) {
    if (fields.size() == columns || !ReadCassandraField(row, fields.emplace_back())) return false;
  }
  fields.resize(columns);
  return true;
}

}  // namespace millrace::detail
