#include "executor/connectors/cassandra/lookup_options.h"

#include <array>

#include "common/status.h"
#include "executor/connectors/cassandra/client_options.h"

namespace millrace::cassandra {
namespace {

constexpr std::array<std::string_view, 9> kOwnNames = {
    "keyspace", "table", "key_columns", "key_kinds", "columns", "kinds", "cache_rows", "cache_bytes", "cache_ttl_ms"};
constexpr auto kNames = JoinNames(kClientOptionNames, kOwnNames);
constexpr std::uint64_t kMaxRows = 100'000'000;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 40;
constexpr std::uint64_t kMaxTtlMs = 365ULL * 86'400'000;

absl::Status ReadCache(const OptionReader& options, LookupCacheLimits& out) {
  MR_ASSIGN_OR_RETURN(out.rows, options.Number("cache_rows", 100'000, 0, kMaxRows));
  MR_ASSIGN_OR_RETURN(out.bytes, options.Number("cache_bytes", 64 << 20, 0, kMaxBytes));
  MR_ASSIGN_OR_RETURN(const std::uint64_t ttl_ms, options.Number("cache_ttl_ms", 60'000, 0, kMaxTtlMs));
  out.ttl = std::chrono::milliseconds(ttl_ms);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LookupOptions> ReadLookupOptions(const engine::OperatorDescription& description) {
  OptionReader options("lookup", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  LookupOptions out;
  MR_RETURN_IF_ERROR(ReadClientOptions(options, out.client));
  if (out.client.consistency == Consistency::kAny || out.client.consistency == Consistency::kEachQuorum) {
    return options.Bad("consistency", "is ", options.Text("consistency", ""),
                       ", which is for writes; take LOCAL_QUORUM, LOCAL_ONE, ONE, TWO, THREE, QUORUM or ALL");
  }
  MR_ASSIGN_OR_RETURN(out.keyspace, options.Required("keyspace"));
  MR_ASSIGN_OR_RETURN(out.table, options.Required("table"));
  MR_ASSIGN_OR_RETURN(out.key_columns, ReadColumnNames(options, "key_columns"));
  MR_ASSIGN_OR_RETURN(out.columns, ReadColumnNames(options, "columns"));
  out.key_kinds = SplitAtCommas(options.Text("key_kinds", ""));
  out.kinds = SplitAtCommas(options.Text("kinds", ""));
  if (out.key_kinds.size() != out.key_columns.size()) {
    return options.Bad("key_kinds", "has not one kind for each of key_columns");
  }
  if (out.kinds.size() != out.columns.size()) return options.Bad("kinds", "has not one kind for each of columns");
  MR_RETURN_IF_ERROR(ReadCache(options, out.cache));
  return out;
}

}  // namespace millrace::cassandra
