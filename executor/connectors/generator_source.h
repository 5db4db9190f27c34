// Numbered records out of nothing, at a steady rate: for benchmarks, examples and tests.
//
// A record is its global index alone: record i of split s is i * splits + s, in SourceRecord.position; partition is s;
// key and value are empty. A position is the local index i, in decimal. The rate counts from the opening of each reader
// by the steady clock; what a bounded Close leaves behind is made up for later. Options: rate, splits, seed, count,
// max_records_per_batch.
#pragma once

#include <memory>
#include <string>

#include "executor/connectors/source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeGeneratorSource(const engine::OperatorDescription& description,
                                                            const SourceEnvironment& environment);

}  // namespace millrace
