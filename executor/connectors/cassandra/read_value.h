// One value of a column, as the server sends it, as a value for a job. Pure.
#pragma once

#include <string>
#include <string_view>

#include "executor/connectors/cassandra/result.h"
#include "executor/connectors/cassandra/table.h"
#include "millrace/internal/cassandra_row.h"

namespace millrace::cassandra {

// The kind of this name ("integer"); kUnset: there is none.
detail::CassandraKind KindNamed(std::string_view name);

// Appends the value of a column of this type as one of this kind, which fits it (Fits in value.h). Empty when it is
// well; else what is wrong, for people: "a value of 3 bytes is no bigint".
std::string AppendField(const Cell& cell, ColumnType type, detail::CassandraKind kind, std::string& out);

}  // namespace millrace::cassandra
