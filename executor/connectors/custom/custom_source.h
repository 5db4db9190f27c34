// A source in the job's own code, as the runner sees it: see <millrace/custom_source.h> for the contract.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "executor/connectors/source.h"

namespace millrace {

// InvalidArgument when the program has no such source, or an option is wrong. The environment's program is used here
// alone.
absl::StatusOr<std::unique_ptr<Source>> MakeCustomSource(const engine::OperatorDescription& description,
                                                         const SourceEnvironment& environment);

}  // namespace millrace
