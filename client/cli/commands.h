// The commands of `millrace`. Each takes its options as parsed, does its work, prints data to stdout and talk to
// stderr, and returns the exit code. They run on the main thread, one a process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/settings.h"
#include "client/lib/client.h"

namespace millrace::cli {

// What a command works with.
struct Session {
  const GlobalOptions& global;
  Interrupt& interrupt;
  std::unique_ptr<Client> client;  // set by Open
};

// Resolves the settings and connects. Reports an error under the name `what`.
ExitCode Open(Session& session, std::string_view what);

// The code of a call that failed: 130 after Ctrl-C, without a word; else reported.
ExitCode Failed(const Session& session, std::string_view what, const absl::Status& status);

struct SubmitArguments {
  std::string job_library;
  std::string name;
  std::vector<std::string> arguments;  // "k=v"
  std::string batch_interval;          // empty: as in the job
  std::string from;                    // an ended job to go on from
  bool follow = false;
  bool wait = false;
};
ExitCode Submit(Session& session, const SubmitArguments& arguments);

ExitCode List(Session& session, bool all);

struct StatusArguments {
  std::string job;
  std::uint32_t batches = 10;
  bool watch = false;
};
ExitCode Status(Session& session, const StatusArguments& arguments);

struct StopArguments {
  std::string job;
  bool now = false;
  bool drain = false;
  std::string deadline;  // a duration; only with drain
};
ExitCode Stop(Session& session, const StopArguments& arguments);

ExitCode Savepoint(Session& session, const std::string& job);

ExitCode FollowJob(Session& session, const std::string& job);

struct RowsArguments {
  std::string job;
  std::string since;  // a duration; empty: all that are kept
};
ExitCode Rows(Session& session, const RowsArguments& arguments);

struct LogsArguments {
  std::string job;
  bool follow = false;
  std::uint32_t lines = 100;
};
ExitCode Logs(Session& session, const LogsArguments& arguments);

ExitCode Executors(Session& session);

struct LocalArguments {
  std::string job_library;
  std::vector<std::string> arguments;
  std::string seconds;
  std::string batch_interval;
};
// Becomes the program millrace-local; returns only if that fails.
ExitCode Local(const LocalArguments& arguments);

ExitCode Version(const GlobalOptions& global);

// Follows a job until it ends, printing its rows or not. Reconnects when the driver is away for less than a minute. The
// exit code says how the job ended.
ExitCode FollowToEnd(Session& session, std::string_view what, const std::string& job, bool print_rows);

}  // namespace millrace::cli
