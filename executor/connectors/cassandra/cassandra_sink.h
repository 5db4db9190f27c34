// The sink "cassandra": rows of a batch as upserts and deletes with the batch's time as their timestamp, then the mark.
//
// Written again, a batch sets the same cells to the same values at the same times: nothing changes. So the result is as
// if each batch had been written once, although its rows become visible one by one. See docs/connectors/cassandra.md.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "executor/connectors/sink.h"

namespace millrace {

// InvalidArgument names the option that is wrong. Nothing is asked of the cluster before a writer opens.
absl::StatusOr<std::unique_ptr<Sink>> MakeCassandraSink(const engine::OperatorDescription& description);

}  // namespace millrace
