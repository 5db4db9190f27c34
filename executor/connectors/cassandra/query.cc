#include "executor/connectors/cassandra/query.h"

#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

constexpr std::uint8_t kValues = 0x01;
constexpr std::uint8_t kSkipMetadata = 0x02;
constexpr std::uint8_t kPagingState = 0x08;
constexpr std::uint8_t kSerialConsistency = 0x10;
constexpr std::uint8_t kTimestamp = 0x20;

std::uint16_t Number(Consistency consistency) { return static_cast<std::uint16_t>(consistency); }

}  // namespace

std::string QueryBody(const Query& query) {
  WireWriter out;
  out.LongString(query.cql).Short(Number(query.consistency));
  std::uint8_t flags = 0;
  if (!query.values.empty()) flags |= kValues;
  if (!query.paging_state.empty()) flags |= kPagingState;
  if (query.serial_consistency) flags |= kSerialConsistency;
  out.Byte(flags);
  if (!query.values.empty()) out.Short(static_cast<std::uint16_t>(query.values.size()));
  for (const std::string& value : query.values) out.Raw(value);
  if (!query.paging_state.empty()) out.Bytes(query.paging_state);
  if (query.serial_consistency) out.Short(Number(*query.serial_consistency));
  return out.Take();
}

std::string PrepareBody(std::string_view cql) { return WireWriter().LongString(cql).Take(); }

std::string ExecuteBody(std::string_view id, std::uint16_t count, std::string_view values,
                        std::optional<std::int64_t> timestamp_us, Consistency consistency) {
  WireWriter out;
  const std::uint8_t flags = kValues | (timestamp_us ? kTimestamp : kSkipMetadata);
  out.String(id).Short(Number(consistency)).Byte(flags).Short(count).Raw(values);
  if (timestamp_us) out.Long(*timestamp_us);
  return out.Take();
}

std::string Quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  return out + '"';
}

}  // namespace millrace::cassandra
