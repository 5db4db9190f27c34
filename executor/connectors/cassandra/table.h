// What the cluster tells about a table: its columns, their types, and its primary key.
//
// LoadTable's errors name keyspace, table, and what is near: NotFound when one is missing, InvalidArgument for one that
// is to be written and cannot be, idempotently (counters, views). Pure data after that.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/session.h"

namespace millrace::cassandra {

enum class ColumnKind : std::uint8_t { kPartitionKey, kClustering, kRegular, kStatic };

enum class ColumnType : std::uint8_t {
  kAscii,
  kBigint,
  kBlob,
  kBoolean,
  kDate,
  kDouble,
  kFloat,
  kInet,
  kInt,
  kSmallint,
  kText,
  kTimestamp,
  kTimeuuid,
  kTinyint,
  kUuid,
  kOther,  // collections, decimal, …: not written by this sink
};

struct Column {
  std::string name;
  std::string type_name;  // as CQL writes it
  ColumnType type = ColumnType::kOther;
  ColumnKind kind = ColumnKind::kRegular;
  std::int32_t position = 0;  // in the partition key, or among the clustering columns
};

struct Table {
  std::string keyspace;
  std::string name;
  std::vector<Column> columns;

  std::string FullName() const { return keyspace + "." + name; }
  const Column* Find(std::string_view column) const;
  // "a, b, c", for errors.
  std::string ColumnNames() const;
};

ColumnType ParseType(std::string_view name);
enum class TableUse : std::uint8_t { kWritten, kRead };
absl::StatusOr<Table> LoadTable(Session& session, const std::string& keyspace, const std::string& table, TableUse use,
                                Deadline deadline);

}  // namespace millrace::cassandra
