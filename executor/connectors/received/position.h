// Where a reader stands in a receiver's log: which log, which entry, how many of its records were given.
//
//   "received/j-1/op0/0@17:3"
//
// The log is a part of it, so that a job that goes on from another's state goes on in its log.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/status.h"
#include "executor/connectors/options.h"

namespace millrace::received {

struct Position {
  std::string log;
  std::uint64_t entry = 0;
  std::uint64_t record = 0;

  static absl::StatusOr<Position> Parse(std::string_view text) {
    Position position;
    const std::size_t at = text.rfind('@');
    const std::size_t colon = text.rfind(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon < at ||
        !ParseNumber(text.substr(at + 1, colon - at - 1), position.entry) ||
        !ParseNumber(text.substr(colon + 1), position.record)) {
      return InvalidArgument("'", text, "' is no position in a receiver's log");
    }
    position.log = text.substr(0, at);
    return position;
  }
  std::string text() const { return Concat(log, "@", entry, ":", record); }
};

}  // namespace millrace::received
