// Durations and sizes as people write them: a number and a unit, "500ms", "1.5s", "64MiB". A unit is always needed,
// except behind 0: a bare number has been misread too often.
//
//   MR_ASSIGN_OR_RETURN(std::int64_t us, ParseDuration("250ms"));   // 250000
//
// Thread-safe. InvalidArgument names the text and the units that there are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"

namespace millrace {

// Microseconds. Units us, ms, s, m, h, d.
absl::StatusOr<std::int64_t> ParseDuration(std::string_view text);

// Bytes. Units B, KiB, MiB, GiB, TiB, and KB, MB, GB, TB in thousands.
absl::StatusOr<std::int64_t> ParseSize(std::string_view text);

// The shortest exact text that parses to the same: "250ms", "90s", "64MiB".
std::string FormatDuration(std::int64_t microseconds);
std::string FormatSize(std::int64_t bytes);

}  // namespace millrace
