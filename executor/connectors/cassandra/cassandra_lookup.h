// Rows of a Cassandra table by their primary key: one SELECT for each key, many in flight, each to a replica of its
// partition. See docs/connectors/cassandra.md.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "executor/connectors/lookup.h"

namespace millrace {

// InvalidArgument names the option that is wrong; servers are asked later, by the readers.
absl::StatusOr<std::unique_ptr<Lookup>> MakeCassandraLookup(const engine::OperatorDescription& description);

}  // namespace millrace
