// From the rows of a batch, as a job encodes them, to writes: checks each value against its column, joins rows of the
// same primary key into one, and computes the token.
//
// Rows of one primary key are joined in their order: a later upsert overwrites the columns that it sets, a delete
// discards what came before. What remains is at most one DELETE at the batch's time and one upsert one microsecond
// later. So writes may be sent in any order and any number of times: within a batch nothing else touches the same
// cells, and between batches the greater time wins.
//
// Make's errors (InvalidArgument, NotFound) name table, column and remedy, Bind's the value as well. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/request_pipeline.h"
#include "executor/connectors/cassandra/table.h"
#include "millrace/engine.h"
#include "millrace/internal/cassandra_row.h"

namespace millrace::cassandra {

class RowBinder {
 public:
  // `kinds` may be empty: then each row tells.
  static absl::StatusOr<RowBinder> Make(Table table, const std::vector<std::string>& columns,
                                        const std::vector<std::string>& kinds);

  std::string InsertCql(std::uint32_t ttl) const;
  std::string DeleteCql() const;

  // The statements' numbers in the session.
  struct Statements {
    std::uint32_t insert = 0;
    std::uint32_t remove = 0;
  };
  absl::StatusOr<std::vector<Request>> Bind(std::span<const engine::SinkRow> rows, std::int64_t batch_time_us,
                                            const Statements& statements) const;

 private:
  // A value with its length before it, as the protocol wants it; an unset one is kept as that.
  using Bound = std::string;
  struct Merged {
    std::vector<Bound> values;
    bool deleted = false;  // before the values were set
    bool upserted = false;
  };

  explicit RowBinder(Table table) : table_(std::move(table)) {}
  absl::Status CheckKeys();
  absl::Status Convert(const engine::SinkRow& row, char& operation, std::vector<Bound>& values) const;
  absl::Status Bad(std::size_t column, std::string_view what) const;
  std::int64_t TokenOfRow(const std::vector<Bound>& values) const;

  Table table_;
  std::vector<Column> columns_;             // in the order of the values
  std::vector<std::size_t> partition_key_;  // indexes into columns_, in the order of the key
  std::vector<std::size_t> primary_key_;    // with the clustering columns
};

}  // namespace millrace::cassandra
