#include "executor/connectors/cassandra/sink_options.h"

#include <array>

#include "common/status.h"
#include "executor/connectors/cassandra/client_options.h"

namespace millrace::cassandra {
namespace {

constexpr std::array<std::string_view, 7> kOwnNames = {"keyspace",           "table", "columns",    "kinds",
                                                       "serial_consistency", "ttl",   "marks_table"};
constexpr auto kNames = JoinNames(kClientOptionNames, kOwnNames);
constexpr std::array<std::string_view, 2> kSerials = {"SERIAL", "LOCAL_SERIAL"};
constexpr std::uint64_t kMaxTtl = 630'720'000;  // Cassandra's own limit, twenty years

absl::Status ReadNames(const OptionReader& options, SinkOptions& out) {
  MR_ASSIGN_OR_RETURN(out.keyspace, options.Required("keyspace"));
  MR_ASSIGN_OR_RETURN(out.table, options.Required("table"));
  MR_ASSIGN_OR_RETURN(out.columns, ReadColumnNames(options, "columns"));
  out.kinds = SplitAtCommas(options.Text("kinds", ""));
  out.marks_table = options.Text("marks_table", "millrace_marks");
  if (out.table == out.marks_table) {
    return options.Bad("marks_table", "is '", out.table, "', as option table is; the marks need a table of their own");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SinkOptions> ReadSinkOptions(const engine::OperatorDescription& description) {
  OptionReader options("sink", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  SinkOptions out;
  MR_RETURN_IF_ERROR(ReadClientOptions(options, out.client));
  MR_RETURN_IF_ERROR(ReadNames(options, out));
  MR_ASSIGN_OR_RETURN(const std::string serial, options.Choice("serial_consistency", kSerials));
  out.client.serial_consistency = serial == "SERIAL" ? Consistency::kSerial : Consistency::kLocalSerial;
  MR_ASSIGN_OR_RETURN(const std::uint64_t ttl, options.Number("ttl", 0, 0, kMaxTtl));
  out.ttl = static_cast<std::uint32_t>(ttl);
  return out;
}

}  // namespace millrace::cassandra
