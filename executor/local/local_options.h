// The command line of millrace-local.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace millrace {

struct LocalOptions {
  std::string job_library;
  std::string name;
  std::map<std::string, std::string> arguments;
  std::uint64_t batch_interval_us = 0;  // 0: the job's own
  std::int64_t seconds = 0;             // 0: until it ends or is stopped
  std::uint32_t slots = 2;
};

// InvalidArgument says what is not understood.
absl::StatusOr<LocalOptions> ParseLocalOptions(int argc, char** argv);

}  // namespace millrace
