#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "client/cli/commands.h"
#include "client/cli/human.h"
#include "client/cli/json.h"
#include "client/cli/table.h"

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr auto kWatchPause = 1s;

bool IsTerminal() {
  static const bool terminal = isatty(STDOUT_FILENO) == 1;
  return terminal;
}

std::string Coloured(const std::string& text, v1::JobState state) {
  static const bool colours = IsTerminal() && std::getenv("NO_COLOR") == nullptr;
  if (!colours) return text;
  const std::string_view colour = state == v1::JOB_STATE_FAILED ? "31" : state == v1::JOB_STATE_RUNNING ? "32" : "33";
  return Concat("\x1b[", colour, "m", text, "\x1b[0m");
}

std::string Line(std::string_view title, const std::string& text) {
  if (text.empty()) return {};
  return Concat(title, std::string(11 - title.size(), ' '), text, "\n");
}

// The driver's words may have several lines; the later ones are indented.
std::string Words(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '\n' ? std::string("\n           ") : Printable(std::string_view(&c, 1));
  }
  return out;
}

std::string Runners(const v1::JobStatus& job) {
  std::string out;
  for (const std::string& runner : job.runners()) out += Concat(out.empty() ? "" : ", ", Printable(runner));
  return out;
}

std::string Batches(const v1::JobStatus& job) {
  return Concat(Count(job.batches_committed()), " committed, ", Count(job.batches_pending()), " pending, ",
                Count(job.batches_late()), " late; one every ",
                Length(static_cast<std::int64_t>(job.batch_interval_us())));
}

std::string Trouble(const v1::JobStatus& job) {
  if (job.runner_failures() == 0 && job.task_retries() == 0 && job.checkpoints_passed_over() == 0) return {};
  std::string out =
      Concat(Count(job.runner_failures()), " runners lost, ", Count(job.task_retries()), " tasks run again");
  if (job.checkpoints_passed_over() > 0)
    out += Concat(", ", Count(job.checkpoints_passed_over()), " damaged checkpoints passed over");
  return out;
}

std::string Since(const v1::JobStatus& job) {
  const std::int64_t now = NowUs();
  if (job.ended_time_us() == 0) return Concat(", submitted ", Ago(job.submitted_time_us(), now));
  return Concat(" ", Ago(job.ended_time_us(), now), ", after ", Length(job.ended_time_us() - job.submitted_time_us()));
}

std::string Sources(const v1::JobStatus& job) {
  std::string out;
  for (const v1::SourceInfo& source : job.sources()) {
    out += Line("source", Concat(Printable(source.description()), ": ", Count(source.splits()), " splits, ",
                                 Count(source.records()), " records"));
    if (source.lost_records() > 0) out += Line("", Concat("lost: ", Count(source.lost_records()), " records"));
    if (!source.problem().empty()) out += Line("", Concat("problem: ", Words(source.problem())));
  }
  return out;
}

std::string State(const v1::JobStatus& job) {
  if (job.plan().checkpoint_interval_us() == 0 && job.checkpoint_batch() == 0 && job.state_memory_bytes() == 0)
    return {};
  const std::string last =
      job.checkpoint_batch() == 0 ? "no checkpoint yet" : Concat("checkpoint of batch ", Count(job.checkpoint_batch()));
  return Line("kept", Concat(last, ", ", Bytes(job.state_memory_bytes()), " in memory, ", Bytes(job.state_disk_bytes()),
                             " on disk"));
}

std::string Counters(const v1::JobStatus& job) {
  std::string out;
  for (const v1::OperatorCount& counter : job.counts()) {
    out += Line("counted",
                Concat(Count(counter.value()), " ", Printable(counter.name()), " in ", Printable(counter.label())));
  }
  return out;
}

std::string BatchTable(const v1::JobStatus& job) {
  if (job.batches().empty()) return {};
  Table table({{"BATCH", Align::kRight},
               {"TIME"},
               {"RECORDS", Align::kRight},
               {"SCHEDULING DELAY", Align::kRight},
               {"PROCESSING", Align::kRight},
               {"TOTAL DELAY", Align::kRight},
               {"RETRIES", Align::kRight}});
  const auto length = [](std::uint64_t us) { return Length(static_cast<std::int64_t>(us)); };
  for (const v1::BatchInfo& batch : job.batches()) {
    table.Add({Concat(batch.batch()), Clock(batch.batch_time_us()), Count(batch.records()),
               length(batch.scheduling_delay_us()), batch.committed() ? length(batch.processing_us()) : "pending",
               batch.committed() ? length(batch.total_delay_us()) : "pending", Count(batch.retries())});
  }
  return "\n" + table.Text();
}

std::string Page(const v1::JobStatus& job) {
  return Concat(Line("job", Concat(Printable(job.name()), " (", Printable(job.id()), ")")),
                Line("state", Concat(Coloured(StateName(job.state()), job.state()), Since(job))),
                Line("error", Words(job.error())), Line("notice", Words(job.notice())), Line("batches", Batches(job)),
                Line("records", Count(job.records())), Line("runners", Runners(job)), Line("failures", Trouble(job)),
                Sources(job), State(job), Counters(job), BatchTable(job));
}

}  // namespace

ExitCode Status(Session& session, const StatusArguments& arguments) {
  const std::string what = Concat("status ", Printable(arguments.job));
  if (const ExitCode code = Open(session, what); code != kExitOk) return code;
  for (bool first = true;; first = false) {
    auto job = session.client->GetJob(arguments.job, std::max(1u, arguments.batches));
    if (!job.ok()) return Failed(session, what, job.status());
    if (arguments.batches == 0) job->clear_batches();
    if (session.global.json()) {
      std::fputs((arguments.watch ? JsonLine(*job) : JsonDocument(*job)).c_str(), stdout);
    } else {
      if (arguments.watch && IsTerminal()) std::fputs("\x1b[H\x1b[2J", stdout);
      if (arguments.watch && !IsTerminal() && !first) std::fputs("\n", stdout);
      std::fputs(Page(*job).c_str(), stdout);
    }
    std::fflush(stdout);
    if (!arguments.watch || HasEnded(job->state())) return kExitOk;
    if (session.interrupt.WaitFor(kWatchPause)) return kExitInterrupted;
  }
}

}  // namespace millrace::cli
