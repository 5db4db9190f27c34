#include "executor/connectors/cassandra/lookup_statement.h"

#include <algorithm>

#include "common/status.h"
#include "executor/connectors/cassandra/chosen_columns.h"
#include "executor/connectors/cassandra/query.h"
#include "executor/connectors/cassandra/read_value.h"
#include "executor/connectors/cassandra/result.h"
#include "executor/connectors/cassandra/value.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {

absl::StatusOr<LookupStatement> LookupStatement::Make(Table table, const LookupOptions& options) {
  LookupStatement made(std::move(table));
  MR_ASSIGN_OR_RETURN(made.key_columns_, ChooseColumns(made.table_, options.key_columns, kKey));
  MR_RETURN_IF_ERROR(made.CheckKeys());
  MR_RETURN_IF_ERROR(CheckKinds(made.table_, made.key_columns_, options.key_kinds, kKey));
  MR_ASSIGN_OR_RETURN(made.columns_, ChooseColumns(made.table_, options.columns, kRead));
  MR_RETURN_IF_ERROR(CheckKinds(made.table_, made.columns_, options.kinds, kRead));
  for (const std::string& kind : options.kinds) made.kinds_.push_back(KindNamed(kind));
  return made;
}

// A key names one row when it is the primary key: all of it and nothing else.
absl::Status LookupStatement::CheckKeys() {
  const Column* missing = nullptr;
  partition_key_ = KeyPlaces(table_, key_columns_, ColumnKind::kPartitionKey, missing);
  if (missing == nullptr) KeyPlaces(table_, key_columns_, ColumnKind::kClustering, missing);
  if (missing != nullptr) {
    return InvalidArgument("cassandra table ", table_.FullName(), ": column '", missing->name,
                           "' is part of the primary key and not in the option key_columns; a lookup finds one row by "
                           "its whole primary key");
  }
  for (const Column& column : key_columns_) {
    if (column.kind == ColumnKind::kPartitionKey || column.kind == ColumnKind::kClustering) continue;
    return InvalidArgument("cassandra table ", table_.FullName(), ": column '", column.name,
                           "' is not part of the primary key; a lookup finds one row by its whole primary key. Take it "
                           "out of the option key_columns, or keep a table with this key");
  }
  return absl::OkStatus();
}

std::string LookupStatement::Cql() const {
  std::string names;
  for (const Column& column : columns_) names += Concat(names.empty() ? "" : ", ", Quoted(column.name));
  std::string where;
  for (const Column& column : key_columns_) {
    where += Concat(where.empty() ? "" : " AND ", Quoted(column.name), " = ?");
  }
  return Concat("SELECT ", names, " FROM ", Quoted(table_.keyspace), ".", Quoted(table_.name), " WHERE ", where);
}

absl::Status LookupStatement::Bad(const Column& column, std::string_view what) const {
  return InvalidArgument("cassandra table ", table_.FullName(), ": column '", column.name, "' (", column.type_name,
                         "): ", what);
}

absl::StatusOr<std::optional<Request>> LookupStatement::Bind(std::string_view key, std::uint32_t statement) const {
  std::vector<std::string> values;
  for (const Column& column : key_columns_) {
    detail::CassandraField field;
    if (!detail::ReadCassandraField(key, field)) return Bad(column, "a key that is damaged");
    if (field.kind == detail::CassandraKind::kNull) return std::optional<Request>();
    WireWriter out;
    if (const std::string why = AppendValue(field, column.type, out); !why.empty()) return Bad(column, why);
    values.push_back(out.Take());
  }
  std::vector<std::string_view> partition_key;
  for (const std::size_t i : partition_key_) partition_key.push_back(values[i]);
  // The server refuses it, for no row can have it.
  if (partition_key.size() == 1 && partition_key[0] == WireWriter().Bytes("").bytes()) return std::optional<Request>();
  Request request;
  request.statement = statement;
  request.count = static_cast<std::uint16_t>(values.size());
  request.token = TokenOf(partition_key);
  for (const std::string& value : values) request.values += value;
  return request;
}

absl::StatusOr<LookupRow> LookupStatement::Row(std::string_view body) const {
  MR_ASSIGN_OR_RETURN(const RowSet rows, ParseRows(body));
  if (rows.rows.empty()) return LookupRow();
  const ResultRow& row = rows.rows[0];
  if (rows.rows.size() != 1 || row.size() != columns_.size()) {
    return DataLoss("cassandra table ", table_.FullName(), ": looking up a row by its key gave ", rows.rows.size(),
                    " rows of ", row.size(), " columns, where ", columns_.size(), " were asked for");
  }
  std::string out;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string why = AppendField(row[i], columns_[i].type, kinds_[i], out);
    if (!why.empty()) return Bad(columns_[i], why);
  }
  return std::make_shared<const std::string>(std::move(out));
}

}  // namespace millrace::cassandra
