#include "common/daemon.h"

#include <sys/resource.h>

#include <cstdio>

#include "common/status.h"
#include "common/version.h"

namespace millrace {

absl::StatusOr<DaemonArguments> ParseDaemonArguments(int argc, char** argv, std::string_view program,
                                                     std::span<const OptionSpec> options) {
  DaemonArguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--help" || word == "-h") {
      std::printf(
          "usage: %.*s [--config FILE] [--set key=value]...\n\nOptions, in the file or with --set or in the "
          "environment:\n%s",
          static_cast<int>(program.size()), program.data(), Describe(options).c_str());
      arguments.done = true;
    } else if (word == "--version") {
      std::printf("%.*s %s\n", static_cast<int>(program.size()), program.data(), kVersion);
      arguments.done = true;
    } else if (word == "--config" && has_value) {
      arguments.config_file = argv[++i];
    } else if (word == "--set" && has_value) {
      arguments.sets.emplace_back(argv[++i]);
    } else {
      return InvalidArgument("'", word, "' is not understood; --help lists what is");
    }
  }
  return arguments;
}

int DaemonFailed(std::string_view program, const absl::Status& status, int code) {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(), Message(status).c_str());
  return code;
}

void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

sigset_t BlockStopSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int WaitForStop(const sigset_t& signals) {
  int signal = 0;
  sigwait(&signals, &signal);
  return signal;
}

}  // namespace millrace
