// What `millrace` tells its caller: exit codes, and errors of one shape, "millrace: what: why" and perhaps "  try: …",
// on stderr.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace millrace::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailure = 1,
  kExitUsage = 2,
  kExitConfig = 3,
  kExitNotAllowed = 4,
  kExitNotFound = 5,
  kExitConflict = 6,
  kExitUnreachable = 7,
  kExitJobFailed = 8,
  kExitInterrupted = 130,
};

// The exit code of an error that a call to the driver ended with.
ExitCode ExitCodeOf(const absl::Status& status);

// Prints and returns `code`. An empty hint prints no second line.
ExitCode Report(std::string_view what, std::string_view why, std::string_view hint, ExitCode code);

// As above for a call to the driver: `what` is the command, "submit", "status words"; the hint comes from command and
// code.
ExitCode ReportStatus(std::string_view what, const absl::Status& status);

// The table of exit codes, for --help.
std::string_view ExitCodeHelp();

}  // namespace millrace::cli
