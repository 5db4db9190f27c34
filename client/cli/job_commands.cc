// list, logs, executors, version.
#include <unistd.h>

#include <cstdio>

#include "client/cli/commands.h"
#include "client/cli/human.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "common/version.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kNoteWidth = 60;

// What a reader of the list should know first.
std::string Note(const v1::JobStatus& job) {
  if (!job.error().empty()) return Brief(job.error(), kNoteWidth);
  if (!job.notice().empty()) return Brief(job.notice(), kNoteWidth);
  for (const v1::SourceInfo& source : job.sources()) {
    if (!source.problem().empty()) return Brief(source.problem(), kNoteWidth);
  }
  return {};
}

std::string LastDelay(const v1::JobStatus& job) {
  for (const v1::BatchInfo& batch : job.batches()) {
    if (batch.committed()) return Length(static_cast<std::int64_t>(batch.total_delay_us()));
  }
  return {};
}

std::string JobTable(const v1::ListJobsResponse& reply) {
  Table table({{"ID"},
               {"NAME"},
               {"STATE"},
               {"EVERY", Align::kRight},
               {"BATCHES", Align::kRight},
               {"PENDING", Align::kRight},
               {"DELAY", Align::kRight},
               {"RECORDS", Align::kRight},
               {"SUBMITTED"},
               {"NOTE"}});
  for (const v1::JobStatus& job : reply.jobs()) {
    table.Add({job.id(), job.name(), StateName(job.state()), Length(static_cast<std::int64_t>(job.batch_interval_us())),
               Count(job.batches_committed()), Count(job.batches_pending()), LastDelay(job), Count(job.records()),
               Ago(job.submitted_time_us(), NowUs()), Note(job)});
  }
  return table.Text();
}

std::string StateOf(const v1::ExecutorInfo& executor) {
  if (!executor.connected()) return "away";
  return executor.leaving() ? "leaving" : "connected";
}

std::string ExecutorTable(const v1::ListExecutorsResponse& reply) {
  Table table({{"ID"},
               {"ADDRESS"},
               {"STATE"},
               {"SLOTS", Align::kRight},
               {"MEMORY", Align::kRight},
               {"RUNNERS", Align::kRight},
               {"SINCE"},
               {"HEARTBEAT"},
               {"VERSION"}});
  for (const v1::ExecutorInfo& one : reply.executors()) {
    table.Add({one.id(), one.address(), StateOf(one), Count(one.slots()), Bytes(one.memory_bytes()),
               Count(one.runners()), Ago(one.connected_time_us(), NowUs()),
               Concat(Length(one.heartbeat_age_us()), " ago"), one.version()});
  }
  return table.Text();
}

void Put(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

ExitCode List(Session& session, bool all) {
  if (const ExitCode code = Open(session, "list"); code != kExitOk) return code;
  const auto reply = session.client->ListJobs(all);
  if (!reply.ok()) return Failed(session, "list", reply.status());
  Put(session.global.json() ? JsonDocument(*reply) : JobTable(*reply));
  if (reply->jobs().empty() && !session.global.json()) {
    std::fputs(all ? "no jobs (millrace submit LIB.so starts one)\n" : "no live jobs (--all shows ended ones, too)\n",
               stderr);
  }
  return kExitOk;
}

ExitCode Logs(Session& session, const LogsArguments& arguments) {
  const std::string what = Concat("logs ", Printable(arguments.job));
  if (const ExitCode code = Open(session, what); code != kExitOk) return code;
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  const absl::Status status =
      session.client->Logs(arguments.job, {arguments.follow, arguments.lines}, [&](const v1::LogLine& line) {
        if (session.global.json()) return Put(JsonLine(line));
        Put(Concat(Clock(line.time_us()), "  ", Printable(line.executor()), "  ",
                   terminal ? Printable(line.text()) : line.text(), "\n"));
      });
  return status.ok() ? kExitOk : Failed(session, what, status);
}

ExitCode Executors(Session& session) {
  if (const ExitCode code = Open(session, "executors"); code != kExitOk) return code;
  const auto reply = session.client->ListExecutors();
  if (!reply.ok()) return Failed(session, "executors", reply.status());
  if (session.global.json()) {
    Put(JsonDocument(*reply));
    return kExitOk;
  }
  Put(ExecutorTable(*reply));
  std::fprintf(stderr, "cluster %s, driver %s, epoch %s\n", Printable(reply->cluster()).c_str(),
               Printable(reply->driver_version()).c_str(), Concat(reply->epoch()).c_str());
  return kExitOk;
}

ExitCode Version(const GlobalOptions& global) {
  Put(global.json() ? Concat("{\"version\":\"", std::string_view(kVersion), "\"}\n")
                    : Concat("millrace ", std::string_view(kVersion), "\n"));
  return kExitOk;
}

}  // namespace millrace::cli
