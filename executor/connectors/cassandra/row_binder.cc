#include "executor/connectors/cassandra/row_binder.h"

#include <unordered_map>

#include "common/status.h"
#include "executor/connectors/cassandra/chosen_columns.h"
#include "executor/connectors/cassandra/query.h"
#include "executor/connectors/cassandra/value.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

const std::string& UnsetValue() {
  static const std::string kValue = WireWriter().Unset().Take();
  return kValue;
}

bool IsKey(const Column& column) {
  return column.kind == ColumnKind::kPartitionKey || column.kind == ColumnKind::kClustering;
}

}  // namespace

absl::StatusOr<RowBinder> RowBinder::Make(Table table, const std::vector<std::string>& columns,
                                          const std::vector<std::string>& kinds) {
  RowBinder binder(std::move(table));
  MR_ASSIGN_OR_RETURN(binder.columns_, ChooseColumns(binder.table_, columns, kWritten));
  MR_RETURN_IF_ERROR(binder.CheckKeys());
  MR_RETURN_IF_ERROR(CheckKinds(binder.table_, binder.columns_, kinds, kWritten));
  return binder;
}

absl::Status RowBinder::CheckKeys() {
  const Column* missing = nullptr;
  partition_key_ = KeyPlaces(table_, columns_, ColumnKind::kPartitionKey, missing);
  std::vector<std::size_t> clustering;
  if (missing == nullptr) clustering = KeyPlaces(table_, columns_, ColumnKind::kClustering, missing);
  if (missing != nullptr) {
    return InvalidArgument("cassandra table ", table_.FullName(), ": column '", missing->name,
                           "' is part of the primary key and not in the option columns; every row needs its value");
  }
  primary_key_ = partition_key_;
  primary_key_.insert(primary_key_.end(), clustering.begin(), clustering.end());
  return absl::OkStatus();
}

std::string RowBinder::InsertCql(std::uint32_t ttl) const {
  std::string names;
  std::string marks;
  for (const Column& column : columns_) {
    names += Concat(names.empty() ? "" : ", ", Quoted(column.name));
    marks += marks.empty() ? "?" : ", ?";
  }
  return Concat("INSERT INTO ", Quoted(table_.keyspace), ".", Quoted(table_.name), " (", names, ") VALUES (", marks,
                ")", ttl == 0 ? std::string() : Concat(" USING TTL ", ttl));
}

std::string RowBinder::DeleteCql() const {
  std::string where;
  for (const std::size_t i : primary_key_) {
    where += Concat(where.empty() ? "" : " AND ", Quoted(columns_[i].name), " = ?");
  }
  return Concat("DELETE FROM ", Quoted(table_.keyspace), ".", Quoted(table_.name), " WHERE ", where);
}

absl::Status RowBinder::Bad(std::size_t column, std::string_view what) const {
  return InvalidArgument("cassandra table ", table_.FullName(), ": column '", columns_[column].name, "' (",
                         columns_[column].type_name, "): ", what);
}

absl::Status RowBinder::Convert(const engine::SinkRow& row, char& operation, std::vector<Bound>& values) const {
  std::vector<detail::CassandraField> fields;
  if (!detail::ReadCassandraRow(row.value, columns_.size(), operation, fields)) {
    return InvalidArgument("cassandra table ", table_.FullName(), ": a row has more values than the ", columns_.size(),
                           " of the option columns, or is damaged");
  }
  values.resize(columns_.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const bool nothing =
        fields[i].kind == detail::CassandraKind::kUnset || fields[i].kind == detail::CassandraKind::kNull;
    if (IsKey(columns_[i]) && nothing) return Bad(i, "a row without a value for this part of its primary key");
    if (operation == detail::kCassandraDelete && !IsKey(columns_[i])) {
      values[i] = UnsetValue();
      continue;
    }
    WireWriter out;
    if (const std::string why = AppendValue(fields[i], columns_[i].type, out); !why.empty()) return Bad(i, why);
    values[i] = out.Take();
  }
  return absl::OkStatus();
}

std::int64_t RowBinder::TokenOfRow(const std::vector<Bound>& values) const {
  std::vector<std::string_view> key;
  for (const std::size_t i : partition_key_) key.push_back(values[i]);
  return TokenOf(key);
}

absl::StatusOr<std::vector<Request>> RowBinder::Bind(std::span<const engine::SinkRow> rows, std::int64_t batch_time_us,
                                                     const Statements& statements) const {
  std::vector<Merged> merged;
  std::unordered_map<std::string, std::size_t> by_key;
  std::vector<Bound> values;
  std::string key;
  for (const engine::SinkRow& row : rows) {
    char operation = 0;
    MR_RETURN_IF_ERROR(Convert(row, operation, values));
    key.clear();
    for (const std::size_t i : primary_key_) key += values[i];
    const auto [at, is_new] = by_key.try_emplace(key, merged.size());
    if (is_new) merged.push_back({values, false, false});
    Merged& entry = merged[at->second];
    if (operation == detail::kCassandraDelete) {
      entry = {values, true, false};
    } else {
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i] != UnsetValue()) entry.values[i] = values[i];
      }
      entry.upserted = true;
    }
  }

  std::vector<Request> writes;
  writes.reserve(merged.size());
  for (const Merged& entry : merged) {
    const std::int64_t token = TokenOfRow(entry.values);
    if (entry.deleted) {
      std::string bound;
      for (const std::size_t i : primary_key_) bound += entry.values[i];
      writes.push_back(
          {statements.remove, static_cast<std::uint16_t>(primary_key_.size()), std::move(bound), token, batch_time_us});
    }
    if (entry.upserted) {
      std::string bound;
      for (const Bound& value : entry.values) bound += value;
      writes.push_back(
          {statements.insert, static_cast<std::uint16_t>(columns_.size()), std::move(bound), token, batch_time_us + 1});
    }
  }
  return writes;
}

}  // namespace millrace::cassandra
