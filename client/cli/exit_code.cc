#include "client/cli/exit_code.h"

#include <algorithm>
#include <cstdio>

#include "client/cli/human.h"

namespace millrace::cli {
namespace {

std::string_view HintFor(std::string_view what, absl::StatusCode code) {
  const bool submit = what.starts_with("submit");
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return "--driver HOST:PORT (or MILLRACE_DRIVER) for another driver; on its machine, systemctl status "
             "millrace-driver";
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return "--tls-dir DIR (or MILLRACE_TLS_DIR) with ca.crt, client.crt and client.key of that cluster";
    case absl::StatusCode::kNotFound:
      return submit ? "" : "millrace list --all";
    case absl::StatusCode::kAlreadyExists:
      return "millrace submit … --name OTHER, or first millrace stop NAME";
    case absl::StatusCode::kFailedPrecondition:
      return submit ? "millrace executors" : "";
    case absl::StatusCode::kDataLoss:
      return submit ? "millrace list" : "";
    default:
      return "";
  }
}

// The driver's words may hold what a job wrote; lines stay lines, but nothing steers the terminal.
std::string Lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += Concat(out.empty() ? "" : "\n", Printable(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kExitNotAllowed;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return kExitConflict;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    default:
      return kExitFailure;
  }
}

ExitCode Report(std::string_view what, std::string_view why, std::string_view hint, ExitCode code) {
  std::string text = Concat("millrace: ", what, ": ", why.empty() ? "no reason was given" : Lines(why), "\n");
  if (!hint.empty()) text += Concat("  try: ", hint, "\n");
  std::fflush(stdout);
  std::fputs(text.c_str(), stderr);
  return code;
}

ExitCode ReportStatus(std::string_view what, const absl::Status& status) {
  return Report(what, Message(status), HintFor(what, status.code()), ExitCodeOf(status));
}

std::string_view ExitCodeHelp() {
  return "Exit codes: 0 ok, 1 failure, 2 wrong usage, 3 configuration or certificate files invalid, 4 not allowed\n"
         "(certificate or role), 5 not found, 6 conflict with what is there, 7 driver unreachable or too slow,\n"
         "8 the job failed (--wait, --follow), 130 interrupted.";
}

}  // namespace millrace::cli
