// What the mains of the daemons share: arguments, signals, and how a failure to start is said.
#pragma once

#include <signal.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/config.h"

namespace millrace {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitConfig = 3;
inline constexpr int kExitTermOver = 4;  // a driver whose term is over: start it again

struct DaemonArguments {
  std::string config_file;
  std::vector<std::string> sets;
  bool done = false;  // --help or --version was asked for and has been answered
};

// --config FILE, --set key=value (any number), --help, --version. InvalidArgument names what is not understood.
absl::StatusOr<DaemonArguments> ParseDaemonArguments(int argc, char** argv, std::string_view program,
                                                     std::span<const OptionSpec> options);

// Prints "program: why" and returns `code`.
int DaemonFailed(std::string_view program, const absl::Status& status, int code);

// As many open files as the system allows: every stream and every connection is one.
void RaiseFileLimit();

// SIGTERM and SIGINT are blocked in this thread and those it makes; SIGPIPE is ignored.
sigset_t BlockStopSignals();
// Waits for one of them and returns it.
int WaitForStop(const sigset_t& signals);

}  // namespace millrace
