// Lines of the text files in a directory, each file a split, read once from its first byte to its end.
//
// A file counts as complete from the moment it is seen: write it elsewhere (or under a name that begins with '.' or
// '_') on the same file system and rename it into place. What is added later to a file that is already being read is
// not promised to be seen. Unbounded, the source goes on looking for new files; bounded, it reads those it finds first
// and ends. A position is a byte offset; a last line without newline counts. Every runner must see the directory under
// the same path. Options: directory, pattern, bounded, discovery_interval_ms.
#pragma once

#include <memory>
#include <string>

#include "executor/connectors/source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeTextFilesSource(const engine::OperatorDescription& description,
                                                            const SourceEnvironment& environment);

}  // namespace millrace
