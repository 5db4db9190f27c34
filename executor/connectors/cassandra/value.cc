#include "executor/connectors/cassandra/value.h"

#include <arpa/inet.h>

#include <array>
#include <bit>
#include <limits>

#include "common/status.h"

namespace millrace::cassandra {
namespace {

using Kind = detail::CassandraKind;
constexpr std::int64_t kUsPerDay = 86'400'000'000;

bool KindFits(Kind kind, ColumnType type) {
  switch (type) {
    case ColumnType::kAscii:
    case ColumnType::kText:
    case ColumnType::kInet:
      return kind == Kind::kText;
    case ColumnType::kBigint:
    case ColumnType::kInt:
    case ColumnType::kSmallint:
    case ColumnType::kTinyint:
      return kind == Kind::kInteger;
    case ColumnType::kBlob:
      return kind == Kind::kBlob || kind == Kind::kText;
    case ColumnType::kBoolean:
      return kind == Kind::kBool;
    case ColumnType::kDouble:
    case ColumnType::kFloat:
      return kind == Kind::kReal;
    case ColumnType::kDate:
    case ColumnType::kTimestamp:
      return kind == Kind::kTimestamp;
    case ColumnType::kTimeuuid:
    case ColumnType::kUuid:
      return kind == Kind::kUuid;
    case ColumnType::kOther:
      return false;
  }
  return false;
}

std::string_view KindName(Kind kind) { return detail::kCassandraKindNames[static_cast<std::size_t>(kind)]; }

template <class T>
std::string AppendInteger(std::int64_t value, WireWriter& out) {
  if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
    return Concat("the value ", value, " is not from ", std::int64_t{std::numeric_limits<T>::min()}, " to ",
                  std::int64_t{std::numeric_limits<T>::max()});
  }
  out.Int(sizeof(T));
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out.Byte(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
  }
  return {};
}

std::int64_t FloorDivide(std::int64_t value, std::int64_t by) {
  const std::int64_t quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

bool IsAscii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) > 0x7f) return false;
  }
  return true;
}

// The server checks that too; here the error can name the column.
bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + more >= text.size()) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    const auto second = more > 0 ? static_cast<unsigned char>(text[i + 1]) : 0;
    // Longer than needed, surrogates, beyond the last code point.
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

std::string AppendAddress(std::string_view text, WireWriter& out) {
  const std::string copy(text);
  std::array<char, 16> bytes{};
  for (const auto& [family, size] : {std::pair{AF_INET, 4UL}, std::pair{AF_INET6, 16UL}}) {
    if (inet_pton(family, copy.c_str(), bytes.data()) != 1) continue;
    out.Bytes({bytes.data(), size});
    return {};
  }
  return Concat("'", text, "' is no IP address");
}

std::string AppendText(std::string_view text, ColumnType type, WireWriter& out) {
  if (type == ColumnType::kInet) return AppendAddress(text, out);
  if (type == ColumnType::kAscii && !IsAscii(text)) return "a text with characters that are not ASCII";
  if (type == ColumnType::kText && !IsUtf8(text)) return "a text that is not UTF-8; write it to a blob column";
  out.Bytes(text);
  return {};
}

std::string AppendTime(std::int64_t us, ColumnType type, WireWriter& out) {
  if (type == ColumnType::kTimestamp) {
    out.Int(8).Long(FloorDivide(us, 1'000));
  } else {  // days, with the epoch in the middle
    out.Int(4).Int(static_cast<std::int32_t>(static_cast<std::uint32_t>(FloorDivide(us, kUsPerDay)) + 0x80000000U));
  }
  return {};
}

std::string AppendInteger(std::int64_t value, ColumnType type, WireWriter& out) {
  switch (type) {
    case ColumnType::kTinyint:
      return AppendInteger<std::int8_t>(value, out);
    case ColumnType::kSmallint:
      return AppendInteger<std::int16_t>(value, out);
    case ColumnType::kInt:
      return AppendInteger<std::int32_t>(value, out);
    default:
      return AppendInteger<std::int64_t>(value, out);
  }
}

}  // namespace

bool Fits(std::string_view kind, ColumnType type) {
  for (std::size_t i = 0; i < std::size(detail::kCassandraKindNames); ++i) {
    if (detail::kCassandraKindNames[i] == kind) return KindFits(static_cast<Kind>(i), type);
  }
  return false;
}

std::string AppendValue(const detail::CassandraField& field, ColumnType type, WireWriter& out) {
  if (field.kind == Kind::kUnset) {
    out.Unset();
    return {};
  }
  if (field.kind == Kind::kNull) {
    out.Null();
    return {};
  }
  if (!KindFits(field.kind, type)) return Concat("a value of kind ", KindName(field.kind), " does not fit");
  switch (field.kind) {
    case Kind::kBool:
      out.Int(1).Byte(field.bits != 0 ? 1 : 0);
      return {};
    case Kind::kInteger:
      return AppendInteger(field.integer(), type, out);
    case Kind::kReal:
      if (type == ColumnType::kFloat) {
        out.Int(4).Int(std::bit_cast<std::int32_t>(static_cast<float>(field.real())));
      } else {
        out.Int(8).Long(field.integer());
      }
      return {};
    case Kind::kText:
      return AppendText(field.bytes, type, out);
    case Kind::kTimestamp:
      return AppendTime(field.integer(), type, out);
    default:
      out.Bytes(field.bytes);
      if (type == ColumnType::kTimeuuid && (static_cast<unsigned char>(field.bytes[6]) >> 4) != 1) {
        return "a uuid that is not of version 1 is no timeuuid";
      }
      return {};
  }
}

}  // namespace millrace::cassandra
