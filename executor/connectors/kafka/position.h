// A position in a partition, as the text that the journal keeps: an offset, and what a bounded or skipping reader must
// know again after a failure.
//
//   57          offset 57
//   57/1000     offset 57 of a job that ends before offset 1000
//   1200~       offset 1200, reached by skipping what the log no longer had: a range that ends here has no records
//
// Plain data, any thread. InvalidArgument for a text that is no position.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace millrace::kafka {

struct Position {
  static constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
  std::int64_t offset = 0;
  std::int64_t end = kNoEnd;  // the first offset that is not read
  bool skipped = false;

  std::string Text() const;
};

// `name` is the partition's, for the message.
absl::StatusOr<Position> ParsePosition(std::string_view name, std::string_view text);

}  // namespace millrace::kafka
