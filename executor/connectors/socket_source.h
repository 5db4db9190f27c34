// Lines of text from a TCP server, as `nc -lk` gives them: for trying things out. The upstream cannot be asked twice,
// so the source is not replayable: lines that a lost runner held are lost.
//
// One split, "host:port"; a position is the decimal count of lines. Options: host, port, max_line_bytes.
#pragma once

#include <memory>
#include <string>

#include "executor/connectors/source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeSocketSource(const engine::OperatorDescription& description,
                                                         const std::string& job_id);

}  // namespace millrace
