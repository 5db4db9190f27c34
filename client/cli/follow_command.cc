#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

#include "client/cli/commands.h"
#include "client/cli/follow_printer.h"
#include "client/cli/human.h"
#include "client/cli/json.h"
#include "common/config/units.h"

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr auto kQuiet = 200ms;   // after so long without rows a batch is taken to be complete
constexpr auto kPatience = 60s;  // how long a driver may be away
constexpr auto kRetryPause = 1s;

void WriteOut(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

// A FollowPrinter that prints what it holds when nothing came for a while. Thread-safe.
class QuietFlusher {
 public:
  QuietFlusher() : thread_([this] { Run(); }) {}
  ~QuietFlusher() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      printer_.Flush();
    }
    wake_.notify_all();
    thread_.join();
  }

  void Add(const v1::OutputRows& rows) {
    const std::lock_guard lock(mutex_);
    printer_.Add(rows);
    last_rows_ = std::chrono::steady_clock::now();
    wake_.notify_all();
  }
  void Flush() {
    const std::lock_guard lock(mutex_);
    printer_.Flush();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    while (!ended_) {
      if (!printer_.holds_rows()) {
        wake_.wait(lock);
      } else if (const auto due = last_rows_ + kQuiet; std::chrono::steady_clock::now() < due) {
        wake_.wait_until(lock, due);
      } else {
        printer_.Flush();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::chrono::steady_clock::time_point last_rows_;
  FollowPrinter printer_{WriteOut, isatty(STDOUT_FILENO) == 1};
  std::thread thread_;  // last: it uses all of the above
};

// Takes events, prints them, and remembers the last state.
class Follower {
 public:
  Follower(bool json, bool print_rows) : json_(json), print_rows_(print_rows) {
    if (print_rows && !json) flusher_.emplace();
  }

  void Take(const v1::JobEvent& event) {
    heard_ = std::chrono::steady_clock::now();
    if (json_ && print_rows_) WriteOut(JsonLine(event));
    if (event.has_status()) TakeStatus(event.status());
    if (!print_rows_ || json_) return;
    if (event.has_rows()) flusher_->Add(event.rows());
    if (event.dropped_rows() > 0) {
      flusher_->Flush();
      std::fprintf(stderr, "… %s outputs were left out: they came faster than they were read here\n",
                   Count(event.dropped_rows()).c_str());
    }
  }
  // Prints what is held.
  void End() { flusher_.reset(); }

  const std::optional<v1::JobStatus>& last() const { return last_; }
  std::chrono::steady_clock::time_point heard() const { return heard_; }

 private:
  void TakeStatus(const v1::JobStatus& status) {
    const bool changed = !last_ || last_->state() != status.state();
    last_ = status;
    // "starting" has been said by submit, and an end is told with its numbers.
    if (changed && status.state() != v1::JOB_STATE_STARTING && !HasEnded(status.state())) {
      std::fprintf(stderr, "job %s is %s\n", Printable(status.name()).c_str(), StateName(status.state()).c_str());
    }
  }

  const bool json_;
  const bool print_rows_;
  std::optional<QuietFlusher> flusher_;
  std::optional<v1::JobStatus> last_;
  std::chrono::steady_clock::time_point heard_ = std::chrono::steady_clock::now();
};

ExitCode Interrupted(const std::string& job) {
  std::fprintf(stderr, "\nstopped following; the job goes on (millrace follow %s, millrace stop %s)\n", job.c_str(),
               job.c_str());
  return kExitInterrupted;
}

ExitCode Ended(const Session& session, const v1::JobStatus& job, bool print_rows) {
  if (session.global.json() && !print_rows) WriteOut(JsonDocument(job));
  std::fprintf(stderr, "job %s (%s) %s after %s batches and %s records\n", Printable(job.name()).c_str(),
               job.id().c_str(), StateName(job.state()).c_str(), Count(job.batches_committed()).c_str(),
               Count(job.records()).c_str());
  if (job.state() != v1::JOB_STATE_FAILED) return kExitOk;
  return Report(Concat("job ", Printable(job.name())), job.error(), Concat("millrace logs ", job.id()), kExitJobFailed);
}

bool MayComeBack(const absl::Status& status) { return status.code() == absl::StatusCode::kUnavailable; }

}  // namespace

ExitCode FollowToEnd(Session& session, std::string_view what, const std::string& job, bool print_rows) {
  Follower follower(session.global.json(), print_rows);
  bool said = false;
  while (true) {
    absl::Status status = session.client->FollowJob(job, [&](const v1::JobEvent& event) {
      follower.Take(event);
      said = false;
    });
    if (session.interrupt.fired()) {
      follower.End();
      return Interrupted(job);
    }
    std::optional<v1::JobStatus> last = follower.last();
    // A stream that ends well ends with the job; if its last word is missing, ask.
    if (status.ok() && (!last || !HasEnded(last->state()))) {
      auto asked = session.client->GetJob(job, 1);
      status = asked.status();
      if (asked.ok()) last = *std::move(asked);
      if (status.ok() && !HasEnded(last->state()))
        status = Unavailable("the driver ended the stream while the job lives");
    }
    if (status.ok()) {
      follower.End();
      return Ended(session, *last, print_rows);
    }
    if (!MayComeBack(status) || std::chrono::steady_clock::now() - follower.heard() > kPatience) {
      follower.End();
      return Failed(session, what, status);
    }
    if (!said) std::fprintf(stderr, "connection lost (%s); trying again\n", Message(status).c_str());
    said = true;
    if (session.interrupt.WaitFor(kRetryPause)) {
      follower.End();
      return Interrupted(job);
    }
  }
}

ExitCode FollowJob(Session& session, const std::string& job) {
  const std::string what = Concat("follow ", Printable(job));
  if (const ExitCode code = Open(session, what); code != kExitOk) return code;
  return FollowToEnd(session, what, job, true);
}

ExitCode Rows(Session& session, const RowsArguments& arguments) {
  const std::string what = Concat("rows ", Printable(arguments.job));
  std::int64_t since_us = 0;
  if (!arguments.since.empty()) {
    const auto ago = ParseDuration(arguments.since);
    if (!ago.ok()) return Report(Concat(what, " --since"), Message(ago.status()), "", kExitUsage);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    since_us = std::chrono::duration_cast<std::chrono::microseconds>(now).count() - *ago;
  }
  if (const ExitCode code = Open(session, what); code != kExitOk) return code;
  const auto kept = session.client->Rows(arguments.job, since_us);
  if (!kept.ok()) return Failed(session, what, kept.status());
  FollowPrinter printer(WriteOut, isatty(STDOUT_FILENO) == 1);
  for (const v1::OutputRows& rows : kept->rows()) {
    session.global.json() ? WriteOut(JsonLine(rows)) : printer.Add(rows);
  }
  printer.Flush();
  return kExitOk;
}

}  // namespace millrace::cli
