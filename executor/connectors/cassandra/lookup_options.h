// The options of a lookup in Cassandra, read from an operator's description and checked. Plain data.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/options.h"
#include "executor/connectors/lookup.h"
#include "millrace/engine.h"

namespace millrace::cassandra {

struct LookupOptions {
  ClientOptions client;
  std::string keyspace;
  std::string table;
  std::vector<std::string> key_columns;
  std::vector<std::string> key_kinds;  // of the key's values, one for each key column
  std::vector<std::string> columns;
  std::vector<std::string> kinds;  // of the row's fields, one for each column
  LookupCacheLimits cache;
};

// InvalidArgument names the operator, the option, its value and what is allowed.
absl::StatusOr<LookupOptions> ReadLookupOptions(const engine::OperatorDescription& description);

}  // namespace millrace::cassandra
