// The options of the sink "cassandra", read from an operator's description and checked. Plain data.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/options.h"
#include "millrace/engine.h"

namespace millrace::cassandra {

struct SinkOptions {
  ClientOptions client;
  std::string keyspace;
  std::string table;
  std::vector<std::string> columns;
  std::vector<std::string> kinds;  // of the columns' values, when all rows have the same
  std::uint32_t ttl = 0;
  std::string marks_table;  // empty: none
};

// InvalidArgument names the operator, the option, its value and what is allowed.
absl::StatusOr<SinkOptions> ReadSinkOptions(const engine::OperatorDescription& description);

}  // namespace millrace::cassandra
