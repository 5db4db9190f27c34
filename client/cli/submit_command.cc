#include <unistd.h>

#include <cstdio>

#include "client/cli/commands.h"
#include "client/cli/human.h"
#include "client/cli/json.h"
#include "common/config/units.h"

namespace millrace::cli {
namespace {

// Shows the steps on stderr; the bytes of the upload in place on a terminal, else once.
class ProgressLine {
 public:
  void Show(const Client::Progress& progress) {
    if (progress.step == "uploading") {
      ShowUpload(progress);
      return;
    }
    EndLine();
    const std::string detail = progress.detail.empty() ? "" : Concat("  ", Printable(progress.detail));
    std::fprintf(stderr, "%s%s\n", Printable(progress.step).c_str(), detail.c_str());
  }
  void EndLine() {
    if (open_) std::fputc('\n', stderr);
    open_ = false;
  }

 private:
  void ShowUpload(const Client::Progress& progress) {
    const bool done = progress.sent_bytes == progress.total_bytes;
    if (!terminal_ && !done) return;
    std::fprintf(stderr, "%suploading  %s of %s", terminal_ ? "\r" : "", Bytes(progress.sent_bytes).c_str(),
                 Bytes(progress.total_bytes).c_str());
    open_ = true;
    if (done) EndLine();
  }

  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  bool open_ = false;
};

absl::StatusOr<SubmitOptions> Parse(const SubmitArguments& given) {
  SubmitOptions options;
  options.name = given.name;
  options.from = given.from;
  for (const std::string& argument : given.arguments) {
    const std::size_t equals = argument.find('=');
    if (equals == argument.npos || equals == 0) return InvalidArgument("--arg ", argument, ": write --arg key=value");
    if (!options.arguments.emplace(argument.substr(0, equals), argument.substr(equals + 1)).second) {
      return InvalidArgument("--arg ", argument.substr(0, equals), " is given twice");
    }
  }
  if (given.batch_interval.empty()) return options;
  const auto interval = ParseDuration(given.batch_interval);
  if (!interval.ok()) return Annotate(interval.status(), "--batch-interval");
  if (*interval < 1'000 || *interval > 3'600'000'000) {
    return InvalidArgument("--batch-interval ", given.batch_interval, ": it must be from 1ms to 1h");
  }
  options.batch_interval_us = static_cast<std::uint64_t>(*interval);
  return options;
}

void PrintNext(const v1::JobStatus& job) {
  std::fprintf(stderr, "next:\n  millrace status %s\n  millrace follow %s\n  millrace logs %s -f\n  millrace stop %s\n",
               job.id().c_str(), job.id().c_str(), job.id().c_str(), job.id().c_str());
}

}  // namespace

ExitCode Submit(Session& session, const SubmitArguments& arguments) {
  const absl::StatusOr<SubmitOptions> options = Parse(arguments);
  if (!options.ok()) return Report("submit", Message(options.status()), "millrace submit --help", kExitUsage);
  if (const ExitCode code = Open(session, "submit"); code != kExitOk) return code;
  ProgressLine line;
  const auto job =
      session.client->Submit(arguments.job_library, *options, [&](const Client::Progress& p) { line.Show(p); });
  line.EndLine();
  if (!job.ok()) return Failed(session, "submit", job.status());
  std::fprintf(stderr, "job %s (%s) is %s\n", Printable(job->name()).c_str(), job->id().c_str(),
               StateName(job->state()).c_str());

  const bool json = session.global.json();
  if (!arguments.follow)
    std::fputs(json && !arguments.wait ? JsonDocument(*job).c_str()
               : json                  ? ""
                                       : Concat(job->id(), "\n").c_str(),
               stdout);
  std::fflush(stdout);
  if (arguments.follow || arguments.wait) return FollowToEnd(session, "submit", job->id(), arguments.follow);
  PrintNext(*job);
  return kExitOk;
}

}  // namespace millrace::cli
