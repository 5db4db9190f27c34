// Receivers in the job's own code, as a source: see <millrace/custom_receiver.h> for the contract, and
// received/receiver_source.h for the log that they store to.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "executor/connectors/source.h"

namespace millrace {

// InvalidArgument when the program has no such receiver. The environment's program outlives the source.
absl::StatusOr<std::unique_ptr<Source>> MakeCustomReceiverSource(const engine::OperatorDescription& description,
                                                                 const SourceEnvironment& environment);

}  // namespace millrace
