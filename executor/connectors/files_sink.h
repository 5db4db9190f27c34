// Exactly-once text files: one file per batch and partition that has rows, made visible by one atomic rename.
//
//   <directory>/<sink>-<stage>-<partition>-<batch, 12 digits><suffix>
//
// A row is a line: its value, or key, TAB, value. The mark of a partition is the highest batch among its visible files.
// A batch without rows makes no file: replayed, it is empty again. Files under way are in <directory>/.staging; nothing
// half-written becomes visible. A directory belongs to one job for each sink name: another job would take its files for
// its own marks, and is refused by Open. In an S3 bucket (directory
// "s3://bucket/prefix") a file is an object. Options: directory, suffix, compression, those of files/s3_place.h.
#pragma once

#include <memory>

#include "executor/connectors/sink.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Sink>> MakeFilesSink(const engine::OperatorDescription& description);

}  // namespace millrace
