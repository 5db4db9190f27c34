// One value of a row as bytes of its column's type. Pure.
#pragma once

#include <string>
#include <string_view>

#include "executor/connectors/cassandra/table.h"
#include "executor/connectors/cassandra/wire.h"
#include "millrace/internal/cassandra_row.h"

namespace millrace::cassandra {

// Whether values of a kind ("integer") can be written to a column of a type at all.
bool Fits(std::string_view kind, ColumnType type);

// Appends the value with its length. Empty when it is well; else why it does not fit, for people: "the value 300 is not
// from -128 to 127".
std::string AppendValue(const detail::CassandraField& field, ColumnType type, WireWriter& out);

}  // namespace millrace::cassandra
