// The SELECT of a lookup: which columns of which row; keys as a job encodes them to bound requests, and the server's
// rows to rows for the job.
//
// Make's errors (InvalidArgument, NotFound) name table, column and remedy, the others the value as well. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/lookup_options.h"
#include "executor/connectors/cassandra/request_pipeline.h"
#include "executor/connectors/cassandra/table.h"
#include "millrace/internal/cassandra_row.h"

namespace millrace::cassandra {

class LookupStatement {
 public:
  static absl::StatusOr<LookupStatement> Make(Table table, const LookupOptions& options);

  std::string Cql() const;
  // nullopt: a part of the key is null, or the empty partition key, so it has no row.
  absl::StatusOr<std::optional<Request>> Bind(std::string_view key, std::uint32_t statement) const;
  // Of the body of a result; null: it has no row.
  absl::StatusOr<LookupRow> Row(std::string_view body) const;

 private:
  explicit LookupStatement(Table table) : table_(std::move(table)) {}
  absl::Status CheckKeys();
  absl::Status Bad(const Column& column, std::string_view what) const;

  Table table_;
  std::vector<Column> key_columns_;         // in the order of the key's values
  std::vector<std::size_t> partition_key_;  // indexes into key_columns_, in the order of the partition key
  std::vector<Column> columns_;
  std::vector<detail::CassandraKind> kinds_;  // of the columns
};

}  // namespace millrace::cassandra
