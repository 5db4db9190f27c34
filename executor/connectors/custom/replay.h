// Reads a range of a split again that a batch has named before, from a source in the job's own code.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "executor/connectors/custom/prefetch.h"

namespace millrace::custom {

// Waits for the author's code, and up to ten seconds for records that are not there yet. DataLoss: the split ends, or
// goes on and on, without coming to `end`. Unavailable: try again later.
absl::StatusOr<std::unique_ptr<RecordBatch>> Replay(const ReaderSettings& settings, engine::Source& source,
                                                    const std::string& split, std::string_view start,
                                                    std::string_view end);

}  // namespace millrace::custom
