// A job in the driver: the shell around its JobMaster. Turns messages and timers into events, and actions into messages
// and journal records; keeps what the status shows beyond the core's own knowledge. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "driver/job/job_master.h"
#include "driver/jobs/job_record.h"
#include "driver/jobs/output_hub.h"
#include "driver/journal/journal.h"
#include "millrace/v1/cluster.pb.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

// The way to one runner: a stream, or calls in the same process. Its address tells one connection from the next.
class RunnerPort {
 public:
  virtual ~RunnerPort() = default;
  virtual void Send(v1::RunnerCommand command) = 0;
  virtual void Close(const absl::Status& why) = 0;
};

// What a job needs of the driver around it.
class JobHost {
 public:
  virtual ~JobHost() = default;
  // Dropped when the executor is not connected: its loss is an event of its own.
  virtual void SendToExecutor(const std::string& executor, v1::ExecutorCommand command) = 0;
  virtual void JobEnded(const std::string& job_id) = 0;
};

struct JobSeams {
  EventLoop& loop;  // all outlive the job
  JournalService& journal;
  JobHost& host;
  std::uint64_t epoch = 0;
  std::int64_t runner_silence_us = 5'000'000;  // without a message a runner is taken for lost
  std::int64_t adopt_wait_us = 3'000'000;      // for a runner that an executor has brought along, to come by itself
  std::int64_t runner_grace_us =
      1'000'000;  // between a broken stream and taking it for lost: its executor may know more
};

class LiveJob : public std::enable_shared_from_this<LiveJob> {
 public:
  // `recovered`: from the journal, for a job that is taken over. `first`: what a new job begins with, null for nothing.
  LiveJob(JobSeams seams, JobRecord record, JobPlan plan, JobLimits limits, const RecoveredJob* recovered,
          const JobSnapshot* first = nullptr);

  void Handle(const JobEvent& event);
  void ExecutorConnected(const std::string& executor, const std::vector<std::string>& its_runners);
  // FailedPrecondition: the job has ended. Unavailable: nobody knows this runner yet, its executor is expected first.
  // InvalidArgument: its plan is another.
  absl::Status RunnerConnected(const v1::RunnerHello& hello, std::shared_ptr<RunnerPort> port);
  void RunnerMessage(const std::string& runner, const v1::RunnerMessage& message);
  void RunnerDisconnected(const std::string& runner, const RunnerPort* port);
  void RunnerExited(const v1::RunnerExited& exited);
  // Saves the state after one of the next batches; `done` gets that batch when it is safe, Unavailable when that takes
  // too long, FailedPrecondition when the job has ended.
  void Savepoint(std::function<void(absl::StatusOr<std::uint64_t>)> done);
  void CheckSilence();
  void Compact();

  v1::JobStatus Status(std::uint32_t batches, bool with_plan) const;
  const JobRecord& record() const { return record_; }
  JobSnapshot Snapshot() const { return master_.Snapshot(); }
  // Of the checkpoints that may be needed; of a job that has ended only the last, for another may go on from it.
  std::set<std::string> CheckpointFiles() const;
  // Other files of batches up to this one are needed by nobody.
  std::uint64_t checkpoints_settled_through() const;
  bool ended() const { return ended_; }
  bool HasRunner(const std::string& runner) const { return runners_.contains(runner); }
  bool RunsOn(const std::string& executor) const;
  OutputHub& output() { return output_; }

 private:
  struct Runner {
    std::string executor;
    std::shared_ptr<RunnerPort> port;  // null until it has connected
    std::int64_t last_heard_us = 0;
    v1::RunnerStatus status;
  };

  void Carry(JobAction& action);
  void Do(StartRunner& action);
  void Do(StopRunner& action);
  void Do(SendRoute& action);
  void Do(SendWork& action);
  void Do(SendEnumerate& action);
  void Do(AppendSplits& action);
  void JournalThen(const v1::durable::JournalRecord& record, JobEvent event);
  void Do(AppendPlanned& action);
  void Do(AppendCheckpoint& action);
  void Do(PassedOver& action);
  void Do(AppendCommitted& action);
  void Do(EndJob& action);
  void Journal(const v1::durable::JournalRecord& record, JournalService::Done done, Durability durability);
  void JournalBroke(const absl::Status& status);
  void SendToRunner(const std::string& runner, v1::RunnerCommand command);
  void Adopt(const std::string& executor, const std::string& runner);
  void LoseUnlessConnected(const std::string& runner, std::int64_t wait_us, const char* reason);
  void LoseRunner(const std::string& runner, std::string reason, std::optional<Crash> crash);
  struct WaitingSavepoint {
    std::uint64_t from = 0;
    std::function<void(absl::StatusOr<std::uint64_t>)> done;
  };

  void ArmTimer();
  void TellSavepoints();
  std::string Notice() const;
  std::string EndNotice() const;
  void FillBatches(std::uint32_t wanted, v1::JobStatus* out) const;
  void FillSources(v1::JobStatus* out) const;
  void FillState(v1::JobStatus* out) const;

  JobSeams seams_;
  JobRecord record_;
  JobMaster master_;
  std::map<std::string, Runner> runners_;
  OutputHub output_;
  std::map<std::uint32_t, std::string> sink_names_;
  std::map<std::uint32_t, std::uint32_t> print_limits_;
  std::string journal_error_;
  std::int64_t ended_time_us_ = 0;
  bool ended_ = false;
  JobState ended_state_ = JobState::kFailed;
  std::string ended_error_;
  JobState shown_state_ = JobState::kStarting;
  std::int64_t armed_for_ = 0;
  std::map<std::uint64_t, WaitingSavepoint> savepoints_;  // by number
  std::uint64_t next_savepoint_ = 0;
};

}  // namespace millrace
