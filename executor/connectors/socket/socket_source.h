// Records from TCP servers: each server is a split, called "host:port". Options: see settings.h.
//
// The upstream cannot be asked twice. A reliable source stores what it receives in a log before batches take it, and is
// replayable from there; else records are held in memory, and those that a lost runner held are lost.
#pragma once

#include <memory>

#include "executor/connectors/source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeSocketSource(const engine::OperatorDescription& description,
                                                         const SourceEnvironment& environment);

}  // namespace millrace
