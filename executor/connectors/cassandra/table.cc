#include "executor/connectors/cassandra/table.h"

#include <algorithm>
#include <array>

#include "common/nearest.h"
#include "common/status.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

struct TypeName {
  std::string_view name;
  ColumnType type;
};
constexpr std::array<TypeName, 16> kTypes = {{
    {"ascii", ColumnType::kAscii},
    {"bigint", ColumnType::kBigint},
    {"blob", ColumnType::kBlob},
    {"boolean", ColumnType::kBoolean},
    {"date", ColumnType::kDate},
    {"double", ColumnType::kDouble},
    {"float", ColumnType::kFloat},
    {"inet", ColumnType::kInet},
    {"int", ColumnType::kInt},
    {"smallint", ColumnType::kSmallint},
    {"text", ColumnType::kText},
    {"varchar", ColumnType::kText},
    {"timestamp", ColumnType::kTimestamp},
    {"timeuuid", ColumnType::kTimeuuid},
    {"tinyint", ColumnType::kTinyint},
    {"uuid", ColumnType::kUuid},
}};

ColumnKind ParseKind(std::string_view kind) {
  if (kind == "partition_key") return ColumnKind::kPartitionKey;
  if (kind == "clustering") return ColumnKind::kClustering;
  return kind == "static" ? ColumnKind::kStatic : ColumnKind::kRegular;
}

std::string Value(std::string_view text) { return WireWriter().Bytes(text).Take(); }

std::string Hint(const RowSet& rows, std::string_view column, std::string_view word) {
  std::vector<std::string_view> names;
  for (const ResultRow& row : rows.rows) names.push_back(rows.Text(row, column));
  return DidYouMean(word, names);
}

absl::Status CheckKeyspace(Session& session, const std::string& keyspace, Deadline deadline) {
  MR_ASSIGN_OR_RETURN(const RowSet rows,
                      session.Call({"SELECT keyspace_name FROM system_schema.keyspaces", {}, Consistency::kOne},
                                   "looking for the keyspace", deadline));
  for (const ResultRow& row : rows.rows) {
    if (rows.Text(row, "keyspace_name") == keyspace) return absl::OkStatus();
  }
  return NotFound("cassandra ", session.ContactPoints(), ": there is no keyspace '", keyspace, "'",
                  Hint(rows, "keyspace_name", keyspace), "; create it, or change the option keyspace");
}

absl::Status NoTable(Session& session, const std::string& keyspace, const std::string& table, Deadline deadline) {
  MR_ASSIGN_OR_RETURN(
      const RowSet views,
      session.Call(
          {"SELECT view_name FROM system_schema.views WHERE keyspace_name = ?", {Value(keyspace)}, Consistency::kOne},
          "looking for the table", deadline));
  for (const ResultRow& row : views.rows) {
    if (views.Text(row, "view_name") == table) {
      return InvalidArgument("cassandra ", session.ContactPoints(), ": ", keyspace, ".", table,
                             " is a materialized view, which cannot be written; write its base table");
    }
  }
  MR_ASSIGN_OR_RETURN(
      const RowSet tables,
      session.Call(
          {"SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", {Value(keyspace)}, Consistency::kOne},
          "looking for the table", deadline));
  return NotFound("cassandra ", session.ContactPoints(), ": there is no table '", table, "' in keyspace '", keyspace,
                  "'", Hint(tables, "table_name", table), "; create it, or change the option table");
}

}  // namespace

const Column* Table::Find(std::string_view column) const {
  const auto at = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == column; });
  return at == columns.end() ? nullptr : &*at;
}

std::string Table::ColumnNames() const {
  std::string out;
  for (const Column& column : columns) out += Concat(out.empty() ? "" : ", ", column.name);
  return out;
}

ColumnType ParseType(std::string_view name) {
  for (const TypeName& known : kTypes) {
    if (known.name == name) return known.type;
  }
  return ColumnType::kOther;
}

absl::StatusOr<Table> LoadTable(Session& session, const std::string& keyspace, const std::string& table, TableUse use,
                                Deadline deadline) {
  MR_RETURN_IF_ERROR(CheckKeyspace(session, keyspace, deadline));
  MR_ASSIGN_OR_RETURN(const RowSet rows,
                      session.Call({"SELECT column_name, kind, position, type FROM system_schema.columns WHERE "
                                    "keyspace_name = ? AND table_name = ?",
                                    {Value(keyspace), Value(table)},
                                    Consistency::kOne},
                                   "reading the table's columns", deadline));
  Table found{keyspace, table, {}};
  for (const ResultRow& row : rows.rows) {
    Column column;
    column.name = rows.Text(row, "column_name");
    column.type_name = rows.Text(row, "type");
    column.type = ParseType(column.type_name);
    column.kind = ParseKind(rows.Text(row, "kind"));
    column.position = static_cast<std::int32_t>(rows.Number(row, "position"));
    if (use == TableUse::kWritten && column.type_name == "counter") {
      return InvalidArgument("cassandra ", session.ContactPoints(), ": ", keyspace, ".", table,
                             " is a counter table (column '", column.name,
                             "'): adding to a counter again after a failure would count twice; keep the total in the "
                             "job's state and write it to a bigint column");
    }
    found.columns.push_back(std::move(column));
  }
  if (use == TableUse::kRead && !found.columns.empty()) return found;
  // Views have columns too.
  MR_ASSIGN_OR_RETURN(
      const RowSet is_table,
      session.Call({"SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?",
                    {Value(keyspace), Value(table)},
                    Consistency::kOne},
                   "looking for the table", deadline));
  if (is_table.rows.empty() || found.columns.empty()) return NoTable(session, keyspace, table, deadline);
  return found;
}

}  // namespace millrace::cassandra
