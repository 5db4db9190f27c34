// The driver daemon's composition root: its fields are its architecture, in the order in which they depend on each
// other. All decisions run on the loop; the services only decode, authorise and post.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "common/io/artifact_store.h"
#include "common/net/tls.h"
#include "driver/cluster/checkpoint_janitor.h"
#include "driver/cluster/executor_registry.h"
#include "driver/jobs/carry_over.h"
#include "driver/jobs/live_job.h"
#include "driver/journal/epoch.h"
#include "driver/journal/journal.h"
#include "driver/options.h"

namespace grpc {
class Server;
}

namespace millrace {

class ClusterService;
class ControlService;

// A job library that has been uploaded and checked, on its way to becoming a job.
struct Submission {
  std::string name;  // empty: the library's
  std::string sha256;
  std::map<std::string, std::string> arguments;
  std::uint64_t batch_interval_us = 0;
  std::string from;        // an ended job to go on from; empty: none
  std::string submission;  // the client's own name for its call; empty: none
};

// What the process does around a driver's life.
struct DriverHooks {
  std::function<void()> before_listening;  // whoever held the port lets go of it; may be null
  // Another driver has begun a term on the data directory. On the journal's thread; should end the process.
  std::function<void(const absl::Status& why)> on_term_over;
};

class Driver final : public JobHost {
 public:
  // Takes the data directory (FailedPrecondition when another driver has it), or, as one of several, claims a term on
  // it; brings back its jobs, and listens. Errors name what to do.
  static absl::StatusOr<std::unique_ptr<Driver>> Start(DriverOptions options, DriverHooks hooks);

  // Serves until Stop, which any thread may call.
  void Run();
  void Stop();
  // After Run: makes durable what the jobs have appended. Nothing may be asked of the driver afterwards.
  void Finish();
  ~Driver() override;

  // ---- for the services; everything below on the loop thread unless told otherwise ----
  EventLoop& loop() { return loop_; }                            // any thread
  const TlsIdentity& identity() const { return identity_; }      // any thread
  const ArtifactStore& artifacts() const { return artifacts_; }  // any thread
  const DriverOptions& options() const { return options_; }      // any thread
  std::uint64_t epoch() const { return term_.epoch(); }          // any thread
  ExecutorRegistry& executors() { return executors_; }

  // Plans and starts, or finds the job that this very submission has made before. `planned` is told when the plan is
  // there, with a note if there is something to say; `done` gets the job once it is durable, or INVALID_ARGUMENT with
  // the planner's words …
  void Submit(Submission submission, std::function<void(const std::string& note)> planned,
              std::function<void(absl::StatusOr<std::shared_ptr<LiveJob>>)> done);
  // By id, name (the live one first, then the newest), or a unique beginning of the id. NotFound names what there is.
  absl::StatusOr<std::shared_ptr<LiveJob>> FindJob(const std::string& reference) const;
  std::shared_ptr<LiveJob> JobById(const std::string& id) const;
  std::shared_ptr<LiveJob> JobOfSubmission(const std::string& submission) const;
  const std::map<std::string, std::shared_ptr<LiveJob>>& jobs() const { return jobs_; }
  std::uint32_t RunnersOn(const std::string& executor) const;
  absl::StatusOr<std::string> SignRunner(const v1::CertificateRequest& request);

  void CheckpointsSwept(const std::string& executor, const v1::CheckpointsSwept& swept);
  void ExecutorRegistered(const v1::Register& info, const std::string& address, std::shared_ptr<ExecutorStream> stream);

  void ExecutorLeaves(const std::string& executor);

  // JobHost
  void SendToExecutor(const std::string& executor, v1::ExecutorCommand command) override;
  void JobEnded(const std::string& job_id) override;

 private:
  Driver(DriverOptions options, DriverHooks hooks, TlsIdentity identity, DriverTerm term, ArtifactStore artifacts);
  absl::Status RecoverJobs();
  absl::Status RecoverJob(const std::string& id);
  void AddDamagedJob(const std::string& id, const absl::Status& why);
  absl::Status Listen();
  absl::StatusOr<std::optional<CarriedOver>> TakeOver(const std::string& from, const v1::Plan& plan) const;
  void AddJob(JobRecord record, JobPlan plan, const RecoveredJob* recovered, const JobSnapshot* first = nullptr);
  void TellWhenDurable(const std::shared_ptr<LiveJob>& job,
                       std::function<void(absl::StatusOr<std::shared_ptr<LiveJob>>)> done);
  void EverySecond();
  void ForgetOldJobs();
  void RemoveJob(const std::string& id, const std::string& sha256);
  void SweepCheckpoints();
  std::string NewJobId();
  std::string JobDir(const std::string& id) const;

  JournalOptions MakeJournalOptions();

  const DriverOptions options_;
  const DriverHooks hooks_;
  const TlsIdentity identity_;
  const DriverTerm term_;
  const ArtifactStore artifacts_;
  EventLoop loop_;
  std::optional<JournalService> journal_;  // gone after Finish
  ExecutorRegistry executors_;
  std::map<std::string, std::shared_ptr<LiveJob>> jobs_;  // by id
  std::set<std::string> damaged_;                         // of them, those whose journals wait to be mended
  CheckpointJanitor janitor_;
  bool sweep_keeps_ = false;  // the one under way leaves files that another job needs
  std::map<std::string, std::string> forgotten_;  // jobs whose checkpoints are being deleted, and their libraries
  std::unique_ptr<ClusterService> cluster_service_;
  std::unique_ptr<ControlService> control_service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace millrace
