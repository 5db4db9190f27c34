#include "executor/connectors/cassandra/read_value.h"

#include <arpa/inet.h>

#include <array>
#include <bit>
#include <limits>

#include "common/status.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

using Kind = detail::CassandraKind;

// Bytes of a value; 0: any number.
std::size_t SizeOf(ColumnType type) {
  switch (type) {
    case ColumnType::kTinyint:
    case ColumnType::kBoolean:
      return 1;
    case ColumnType::kSmallint:
      return 2;
    case ColumnType::kInt:
    case ColumnType::kFloat:
    case ColumnType::kDate:
      return 4;
    case ColumnType::kBigint:
    case ColumnType::kDouble:
    case ColumnType::kTimestamp:
      return 8;
    case ColumnType::kUuid:
    case ColumnType::kTimeuuid:
      return 16;
    default:
      return 0;
  }
}

std::int64_t ReadInteger(std::string_view bytes) {
  WireReader in(bytes);
  switch (bytes.size()) {
    case 1:
      return static_cast<std::int8_t>(in.Byte());
    case 2:
      return static_cast<std::int16_t>(in.Short());
    case 4:
      return in.Int();
    default:
      return in.Long();
  }
}

// Days since the epoch, or milliseconds, in microseconds.
std::string AppendTime(std::string_view bytes, ColumnType type, std::string& out) {
  constexpr std::int64_t kUsPerDay = 86'400'000'000;
  const bool date = type == ColumnType::kDate;
  const std::int64_t unit = date ? kUsPerDay : 1'000;
  const std::int64_t value =
      date ? static_cast<std::int64_t>(static_cast<std::uint32_t>(WireReader(bytes).Int())) - 0x80000000LL
           : ReadInteger(bytes);
  if (value > std::numeric_limits<std::int64_t>::max() / unit ||
      value < std::numeric_limits<std::int64_t>::min() / unit) {
    return "a time further away than 290,000 years";
  }
  detail::AppendCassandraNumber(out, Kind::kTimestamp, static_cast<std::uint64_t>(value * unit));
  return {};
}

std::string AppendAddress(std::string_view bytes, std::string& out) {
  if (bytes.size() != 4 && bytes.size() != 16) return Concat("a value of ", bytes.size(), " bytes is no address");
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  detail::AppendCassandraBytes(out, Kind::kText, text.data());
  return {};
}

std::string AppendReal(std::string_view bytes, std::string& out) {
  const double value = bytes.size() == 4 ? static_cast<double>(std::bit_cast<float>(WireReader(bytes).Int()))
                                         : std::bit_cast<double>(WireReader(bytes).Long());
  detail::AppendCassandraNumber(out, Kind::kReal, std::bit_cast<std::uint64_t>(value));
  return {};
}

}  // namespace

Kind KindNamed(std::string_view name) {
  for (std::size_t i = 0; i < std::size(detail::kCassandraKindNames); ++i) {
    if (detail::kCassandraKindNames[i] == name) return static_cast<Kind>(i);
  }
  return Kind::kUnset;
}

std::string AppendField(const Cell& cell, ColumnType type, Kind kind, std::string& out) {
  const std::size_t size = SizeOf(type);
  // Old tables have empty values in columns of fixed size: they mean nothing.
  const bool fixed = size != 0 || type == ColumnType::kInet;
  if (!cell || (fixed && cell->empty())) {
    detail::AppendCassandraKind(out, Kind::kNull);
    return {};
  }
  const std::string_view bytes = *cell;
  if (size != 0 && bytes.size() != size) {
    return Concat("a value of ", bytes.size(), " bytes, where there should be ", size);
  }
  switch (kind) {
    case Kind::kBool:
      detail::AppendCassandraNumber(out, kind, bytes[0] != 0 ? 1 : 0);
      return {};
    case Kind::kInteger:
      detail::AppendCassandraNumber(out, kind, static_cast<std::uint64_t>(ReadInteger(bytes)));
      return {};
    case Kind::kReal:
      return AppendReal(bytes, out);
    case Kind::kTimestamp:
      return AppendTime(bytes, type, out);
    default:
      if (type == ColumnType::kInet) return AppendAddress(bytes, out);
      detail::AppendCassandraBytes(out, kind, bytes);
      return {};
  }
}

}  // namespace millrace::cassandra
