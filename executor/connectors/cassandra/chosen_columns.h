// Columns of a table that a job has named, found and checked against the kinds of values that it has for them; and the
// token of a partition key. Shared by the sink, which writes them, and the lookup, which reads them.
//
// Errors (InvalidArgument, NotFound) name table, column and remedy. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/table.h"

namespace millrace::cassandra {

// What is done with the columns, for errors.
struct ColumnUse {
  std::string_view option;   // that names them
  std::string_view refused;  // of a type that cannot be used: "which this sink does not write"
  std::string_view verb;     // "the job writes values of kind text to it"
  std::string_view preposition;
};
inline constexpr ColumnUse kWritten = {"columns", "which this sink does not write", "writes", "to"};
inline constexpr ColumnUse kRead = {"columns", "which a lookup does not read", "reads", "from"};
inline constexpr ColumnUse kKey = {"key_columns", "by which a lookup does not find rows", "has", "for"};

absl::StatusOr<std::vector<Column>> ChooseColumns(const Table& table, const std::vector<std::string>& names,
                                                  const ColumnUse& use);
// One kind for each column; none at all when each row tells.
absl::Status CheckKinds(const Table& table, const std::vector<Column>& columns, const std::vector<std::string>& kinds,
                        const ColumnUse& use);
// Where the columns of the partition key, in its order, are among these, or those of the clustering columns. A column
// that is not there is given as `missing`.
std::vector<std::size_t> KeyPlaces(const Table& table, const std::vector<Column>& columns, ColumnKind kind,
                                   const Column*& missing);
// Of the values of a partition key, each with its length before it.
std::int64_t TokenOf(std::span<const std::string_view> partition_key);

}  // namespace millrace::cassandra
