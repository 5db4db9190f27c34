// RESULT frames: rows with their columns' names, and what PREPARE gives. Values stay bytes; the caller knows their
// types.
//
//   MR_ASSIGN_OR_RETURN(RowSet rows, ParseRows(body));
//   for (const auto& row : rows.rows) Use(rows.Text(row, "table_name"));
//
// Errors: DataLoss for a frame that is damaged. Pure; a RowSet owns its bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace::cassandra {

using Cell = std::optional<std::string>;  // nullopt: null
using ResultRow = std::vector<Cell>;

struct RowSet {
  std::vector<std::string> columns;
  std::vector<ResultRow> rows;
  std::string paging_state;  // empty: this is the last page

  // The value of a column, empty when it is null or there is no such column.
  std::string_view Text(const ResultRow& row, std::string_view column) const;
  // The same as a number of 1, 2, 4 or 8 bytes; 0 when it is null.
  std::int64_t Number(const ResultRow& row, std::string_view column) const;
  // Of a list<text> or set<text>.
  std::vector<std::string> Texts(const ResultRow& row, std::string_view column) const;
};

// The body of a RESULT frame. A result without rows (void, a schema change) is an empty set.
absl::StatusOr<RowSet> ParseRows(std::string_view body);
// The id of the statement in the answer to PREPARE.
absl::StatusOr<std::string> ParsePrepared(std::string_view body);

}  // namespace millrace::cassandra
