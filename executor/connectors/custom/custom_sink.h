// A sink in the job's own code, as the runner sees it: see <millrace/custom_sink.h> for the contract.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "executor/connectors/sink.h"

namespace millrace {

// InvalidArgument when the program has no such sink. `program` is used here alone.
absl::StatusOr<std::unique_ptr<Sink>> MakeCustomSink(const engine::OperatorDescription& description,
                                                     const engine::Program* program);

}  // namespace millrace
