// stop and savepoint. A stop that drains stays until the job has ended, and shows how far it is; it may be called
// again, by anyone, at any time.
#include <chrono>
#include <cstdio>

#include "client/cli/commands.h"
#include "client/cli/human.h"
#include "client/cli/json.h"
#include "common/config/units.h"

namespace millrace::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::seconds kDefaultDeadline{60};
constexpr std::chrono::seconds kPatience{30};  // beyond the deadline, for a driver that is away

void Put(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

std::string Name(const v1::JobStatus& job) {
  return Concat("job ", Printable(job.name()), " (", Printable(job.id()), ")");
}

ExitCode StopAndLeave(Session& session, const StopArguments& arguments, const std::string& what) {
  const auto reply = session.client->StopJob(arguments.job, {.now = arguments.now});
  if (!reply.ok()) return Failed(session, what, reply.status());
  if (session.global.json()) Put(JsonDocument(*reply));
  const std::string_view rest = HasEnded(reply->state()) ? ""
                                : arguments.now          ? "; batches that are cut are given up"
                                                         : "; batches that are cut are finished first";
  std::fprintf(stderr, "%s is %s%.*s\n", Name(*reply).c_str(), StateName(reply->state()).c_str(),
               static_cast<int>(rest.size()), rest.data());
  return kExitOk;
}

ExitCode Drained(const Session& session, const v1::JobStatus& job) {
  if (session.global.json()) Put(JsonDocument(job));
  std::fprintf(stderr, "%s is %s after %s batches and %s records\n", Name(job).c_str(), StateName(job.state()).c_str(),
               Count(job.batches_committed()).c_str(), Count(job.records()).c_str());
  if (job.state() == v1::JOB_STATE_FAILED)
    return Report(Name(job), job.error(), Concat("millrace logs ", job.id()), kExitJobFailed);
  if (job.notice().empty()) return kExitOk;
  return Report(Name(job), job.notice(), Concat("millrace submit LIB.so --from ", job.id()), kExitFailure);
}

class Draining {
 public:
  Draining(Session& session, std::string job, std::chrono::seconds deadline)
      : session_(session), job_(std::move(job)), end_(Clock::now() + deadline) {}

  ExitCode Run(const std::string& what) {
    absl::StatusOr<v1::JobStatus> job = Ask();
    if (!job.ok()) return Failed(session_, what, job.status());
    job_ = job->id();  // a name may soon be another's
    while (true) {
      if (job.ok() && HasEnded(job->state())) return Drained(session_, *job);
      if (job.ok()) {
        Show(*job);
      } else if (job.status().code() != absl::StatusCode::kUnavailable || Clock::now() > end_ + kPatience) {
        return Failed(session_, what, job.status());
      }
      if (session_.interrupt.WaitFor(kLook)) {
        std::fprintf(stderr, "\nleft alone; the job goes on stopping (millrace stop --drain %s shows it again)\n",
                     job_.c_str());
        return kExitInterrupted;
      }
      job = session_.client->GetJob(job_, 1);
      // A driver that was started again knows nothing of our wish.
      if (job.ok() && !HasEnded(job->state()) && job->state() != v1::JOB_STATE_STOPPING) job = Ask();
    }
  }

 private:
  absl::StatusOr<v1::JobStatus> Ask() {
    const auto left = std::chrono::ceil<std::chrono::seconds>(end_ - Clock::now());
    return session_.client->StopJob(job_, {.drain = true, .wait = std::max(left, std::chrono::seconds(1))});
  }
  void Show(const v1::JobStatus& job) {
    const std::string text = job.notice().empty() ? StateName(job.state()) : Printable(job.notice());
    if (text == shown_) return;
    shown_ = text;
    std::fprintf(stderr, "%s  %s batches committed; %s\n", Printable(job.name()).c_str(),
                 Count(job.batches_committed()).c_str(), text.c_str());
  }

  Session& session_;
  std::string job_;
  const Clock::time_point end_;
  std::string shown_;
};

}  // namespace

ExitCode Stop(Session& session, const StopArguments& arguments) {
  const std::string what = Concat("stop ", Printable(arguments.job));
  std::chrono::seconds deadline = kDefaultDeadline;
  if (!arguments.deadline.empty()) {
    const auto given = ParseDuration(arguments.deadline);
    if (!given.ok()) return Report(Concat(what, " --deadline"), Message(given.status()), "", kExitUsage);
    deadline = std::chrono::ceil<std::chrono::seconds>(std::chrono::microseconds(*given));
    if (deadline < std::chrono::seconds(1) || deadline > std::chrono::hours(24))
      return Report(Concat(what, " --deadline"), "it must be from 1s to 24h", "", kExitUsage);
  }
  if (const ExitCode code = Open(session, what); code != kExitOk) return code;
  return arguments.drain ? Draining(session, arguments.job, deadline).Run(what)
                         : StopAndLeave(session, arguments, what);
}

ExitCode Savepoint(Session& session, const std::string& job) {
  const std::string what = Concat("savepoint ", Printable(job));
  if (const ExitCode code = Open(session, what); code != kExitOk) return code;
  const auto batch = session.client->Savepoint(job);
  if (!batch.ok()) return Failed(session, what, batch.status());
  Put(session.global.json() ? Concat("{\"batch\":\"", *batch, "\"}\n") : Concat(*batch, "\n"));
  std::fprintf(stderr, "the state of job %s after batch %s is saved\n", Printable(job).c_str(), Concat(*batch).c_str());
  return kExitOk;
}

}  // namespace millrace::cli
