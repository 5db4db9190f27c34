#include "driver/driver.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <random>

#include "common/dataflow/wire.h"
#include "common/io/file.h"
#include "common/log.h"
#include "common/net/grpc_status.h"
#include "common/net/runner_certificate.h"
#include "common/net/server.h"
#include "common/status.h"
#include "common/version.h"
#include "driver/journal/journal_files.h"
#include "driver/service/cluster_service.h"
#include "driver/service/control_service.h"

namespace millrace {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kRecordWait = 5 * kSecond;  // for the first record of a new job
constexpr std::chrono::hours kRunnerCertificateLifetime{24 * 30};

std::string MajorMinor(const std::string& version) { return version.substr(0, version.rfind('.')); }

}  // namespace

absl::StatusOr<std::unique_ptr<Driver>> Driver::Start(DriverOptions options, DriverHooks hooks) {
  MR_ASSIGN_OR_RETURN(TlsIdentity identity, LoadIdentity(options.tls, "driver"));
  MR_RETURN_IF_ERROR(MakeDirectories(options.data_dir));
  MR_ASSIGN_OR_RETURN(DriverTerm term, options.one_of_several()
                                           ? ClaimEpoch(options.data_dir, options.standby.advertise)
                                           : NextEpoch(options.data_dir));
  MR_ASSIGN_OR_RETURN(ArtifactStore artifacts, ArtifactStore::Open(options.data_dir + "/artifacts"));
  auto driver = std::unique_ptr<Driver>(
      new Driver(std::move(options), std::move(hooks), std::move(identity), std::move(term), std::move(artifacts)));
  MR_RETURN_IF_ERROR(driver->RecoverJobs());
  MR_RETURN_IF_ERROR(driver->Listen());
  return driver;
}

Driver::Driver(DriverOptions options, DriverHooks hooks, TlsIdentity identity, DriverTerm term, ArtifactStore artifacts)
    : options_(std::move(options)),
      hooks_(std::move(hooks)),
      identity_(std::move(identity)),
      term_(std::move(term)),
      artifacts_(std::move(artifacts)),
      journal_(MakeJournalOptions()),
      executors_(loop_, term_.epoch(),
                 {.silence_us = options_.heartbeat_timeout_us, .grace_us = options_.reconnect_grace_us},
                 [this](const std::string& executor, const std::string& reason) {
                   for (const auto& [id, job] : jobs_) job->Handle(ExecutorLost{executor, reason});
                 }),
      janitor_(options_.checkpoint_sweep_us),
      cluster_service_(std::make_unique<ClusterService>(*this)),
      control_service_(std::make_unique<ControlService>(*this)) {}

Driver::~Driver() = default;

JournalOptions Driver::MakeJournalOptions() {
  JournalOptions options;
  options.on_compact = [this](const std::string& id) {
    loop_.Post([this, id] {
      if (auto job = JobById(id)) job->Compact();
    });
  };
  if (!term_.fenced()) return options;
  options.fence = {term_.epoch(), [this] { return term_.Check(); }};
  options.on_fenced_out = hooks_.on_term_over;
  return options;
}

void Driver::Finish() {
  jobs_.clear();
  journal_.reset();
}

// A job whose journal is damaged is shown with what is wrong, and the others go on.
absl::Status Driver::RecoverJobs() {
  MR_ASSIGN_OR_RETURN(const auto ids, ListJobs(options_.data_dir + "/jobs"));
  for (const std::string& id : ids) {
    const absl::Status status = RecoverJob(id);
    if (!status.ok() && !absl::IsDataLoss(status)) return status;
    if (!status.ok()) AddDamagedJob(id, status);
  }
  return absl::OkStatus();
}

absl::Status Driver::RecoverJob(const std::string& id) {
  MR_ASSIGN_OR_RETURN(const auto records, ReadJob(JobDir(id)));
  MR_ASSIGN_OR_RETURN(RecoveredJob recovered, Replay(records));
  MR_ASSIGN_OR_RETURN(JobPlan plan, wire::FromProto(recovered.record.plan));
  log::Info("job recovered",
            {{"job", id}, {"committed", recovered.snapshot.committed}, {"pending", recovered.snapshot.pending.size()}});
  if (!HasEnded(recovered.state)) MR_RETURN_IF_ERROR(journal_->OpenJob(id, JobDir(id)));
  JobRecord record = recovered.record;
  AddJob(std::move(record), std::move(plan), &recovered);
  // A term that others may follow begins a file of its own.
  if (term_.fenced()) jobs_.at(id)->Compact();
  return absl::OkStatus();
}

// Nothing is written to its directory. When the file has been mended, the next start finds the job.
void Driver::AddDamagedJob(const std::string& id, const absl::Status& why) {
  damaged_.insert(id);
  log::Error("job not recovered", {{"job", id}, {"error", Message(why)}});
  RecoveredJob damaged;
  if (const auto beginning = ReadBeginning(JobDir(id)); beginning.ok()) {
    v1::durable::JournalRecord first;
    *first.mutable_snapshot() = *beginning;
    if (auto known = Replay({first}); known.ok()) damaged.record = std::move(known->record);
  }
  damaged.record.id = id;
  if (damaged.record.name.empty()) damaged.record.name = id;
  damaged.state = JobState::kFailed;
  damaged.error = Message(why);
  damaged.ended_time_us = loop_.now_us();
  auto plan = wire::FromProto(damaged.record.plan);
  JobPlan none;
  none.batch_interval_us = kSecond;
  JobRecord record = damaged.record;
  AddJob(std::move(record), plan.ok() ? *std::move(plan) : std::move(none), &damaged);
}

absl::Status Driver::Listen() {
  grpc::EnableDefaultHealthCheckService(true);
  if (hooks_.before_listening) hooks_.before_listening();
  if (options_.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  MR_ASSIGN_OR_RETURN(server_, StartServer(options_.listen, identity_, "driver.listen",
                                           {cluster_service_.get(), control_service_.get()}));
  log::Info("driver ready", {{"version", kVersion},
                             {"listen", options_.listen},
                             {"cluster", identity_.name.cluster},
                             {"epoch", term_.epoch()},
                             {"data_dir", options_.data_dir}});
  return absl::OkStatus();
}

void Driver::Run() {
  loop_.Post([this] { EverySecond(); });
  loop_.Run();
}

void Driver::Stop() { loop_.Stop(); }

void Driver::EverySecond() {
  executors_.CheckSilence();
  for (const auto& [id, job] : jobs_) job->CheckSilence();
  ForgetOldJobs();
  SweepCheckpoints();
  loop_.PostAt(loop_.now_us() + kSecond, [this] { EverySecond(); });
}

// ---- jobs ----

std::string Driver::JobDir(const std::string& id) const { return Concat(options_.data_dir, "/jobs/", id); }

std::string Driver::NewJobId() {
  std::random_device random;
  for (;;) {
    char id[16];
    std::snprintf(id, sizeof id, "j-%08x", random());
    if (!jobs_.contains(id)) return id;
  }
}

void Driver::Submit(Submission submission, std::function<void(const std::string& note)> planned,
                    std::function<void(absl::StatusOr<std::shared_ptr<LiveJob>>)> done) {
  if (const auto job = JobOfSubmission(submission.submission)) return TellWhenDurable(job, std::move(done));
  v1::PlanRequest request;
  request.set_sha256(submission.sha256);
  request.set_name(submission.name);
  request.mutable_arguments()->insert(submission.arguments.begin(), submission.arguments.end());
  request.set_batch_interval_us(submission.batch_interval_us);
  executors_.Plan(std::move(request), [this, submission = std::move(submission), planned = std::move(planned),
                                       done = std::move(done)](absl::StatusOr<v1::Plan> plan) {
    const auto start = [&]() -> absl::StatusOr<std::shared_ptr<LiveJob>> {
      if (!plan.ok()) return plan.status();
      if (const auto job = JobOfSubmission(submission.submission)) return job;  // the same, twice at once
      MR_ASSIGN_OR_RETURN(JobPlan job_plan, wire::FromProto(*plan));
      for (const auto& [id, job] : jobs_) {
        if (job->ended() || job->record().name != plan->name()) continue;
        return AlreadyExists("a job named '", plan->name(), "' is running already (", id,
                             "): stop it, or give this one another --name");
      }
      MR_ASSIGN_OR_RETURN(const std::optional<CarriedOver> first, TakeOver(submission.from, *plan));
      planned(first ? first->note : "");
      const std::string id = NewJobId();
      MR_RETURN_IF_ERROR(journal_->OpenJob(id, JobDir(id)));
      AddJob({id, plan->name(), submission.sha256, submission.arguments, submission.batch_interval_us, loop_.now_us(),
              *plan, submission.submission},
             std::move(job_plan), nullptr, first ? &first->snapshot : nullptr);
      const std::shared_ptr<LiveJob> job = jobs_.at(id);
      for (const std::string& executor : executors_.connected()) job->ExecutorConnected(executor, {});
      return job;
    };
    auto job = start();
    if (!job.ok()) return done(job.status());
    TellWhenDurable(*job, done);
  });
}

std::shared_ptr<LiveJob> Driver::JobOfSubmission(const std::string& submission) const {
  if (submission.empty()) return nullptr;
  const auto found =
      std::ranges::find_if(jobs_, [&](const auto& entry) { return entry.second->record().submission == submission; });
  return found == jobs_.end() ? nullptr : found->second;
}

// A driver that dies, or finds its term over, before the job is durable, has promised nothing.
void Driver::TellWhenDurable(const std::shared_ptr<LiveJob>& job,
                             std::function<void(absl::StatusOr<std::shared_ptr<LiveJob>>)> done) {
  const std::string id = job->record().id;
  const auto told = std::make_shared<bool>(false);
  const auto tell = [told, done = std::move(done)](const absl::StatusOr<std::shared_ptr<LiveJob>>& result) {
    if (!std::exchange(*told, true)) done(result);
  };
  const absl::Status asked = journal_->AwaitDurable(id, [this, job, tell](const absl::Status& status) {
    loop_.Post([job, tell, status] { status.ok() ? tell(job) : tell(status); });
  });
  if (!asked.ok()) return tell(job);  // it has ended already
  loop_.PostAt(loop_.now_us() + kRecordWait, [this, id, tell] {
    tell(ResourceExhausted("job ", id, " waits for its journal to be written: ", journal_->problem(id),
                           "; `millrace status ", id, "` tells when it goes on"));
  });
}

// What the new job begins with; nothing when it goes on from none.
absl::StatusOr<std::optional<CarriedOver>> Driver::TakeOver(const std::string& from, const v1::Plan& plan) const {
  if (from.empty()) return std::nullopt;
  MR_ASSIGN_OR_RETURN(const std::shared_ptr<LiveJob> old, FindJob(from));
  const std::string& id = old->record().id;
  if (!old->ended())
    return FailedPrecondition("job ", id, " (", old->record().name,
                              ") is still running: stop it, then submit --from it");
  MR_ASSIGN_OR_RETURN(CarriedOver first, CarryOver(id, old->record().plan, old->Snapshot(), plan));
  return first;
}

void Driver::AddJob(JobRecord record, JobPlan plan, const RecoveredJob* recovered, const JobSnapshot* first) {
  const JobLimits limits{.pending_batches_max = options_.pending_batches_max,
                         .attempts_max = static_cast<int>(options_.task_attempts_max),
                         .checkpoints_kept = options_.checkpoints_kept};
  const std::string id = record.id;
  JobSeams seams{.loop = loop_,
                 .journal = *journal_,
                 .host = *this,
                 .epoch = term_.epoch(),
                 .runner_silence_us = options_.heartbeat_timeout_us};
  jobs_[id] = std::make_shared<LiveJob>(seams, std::move(record), std::move(plan), limits, recovered, first);
}

absl::StatusOr<std::shared_ptr<LiveJob>> Driver::FindJob(const std::string& reference) const {
  std::shared_ptr<LiveJob> by_name;
  std::vector<std::shared_ptr<LiveJob>> by_prefix;
  for (const auto& [id, job] : jobs_) {
    if (id == reference) return job;
    if (!reference.empty() && id.starts_with(reference)) by_prefix.push_back(job);
    if (job->record().name != reference) continue;
    const auto rank = [](const LiveJob& j) { return std::pair(!j.ended(), j.record().submitted_time_us); };
    if (!by_name || rank(*job) > rank(*by_name)) by_name = job;
  }
  if (by_name) return by_name;
  if (by_prefix.size() == 1) return by_prefix.front();
  if (by_prefix.size() > 1)
    return InvalidArgument("'", reference, "' is the beginning of ", by_prefix.size(), " job ids");
  return NotFound("there is no job '", reference, "'; `millrace list --all` shows those there are");
}

std::shared_ptr<LiveJob> Driver::JobById(const std::string& id) const {
  const auto it = jobs_.find(id);
  return it == jobs_.end() ? nullptr : it->second;
}

void Driver::JobEnded(const std::string& id) { log::Debug("job ended", {{"job", id}}); }

// Ended jobs stay to be looked at; beyond a number the oldest go, with their libraries when no other job uses them. One
// that has kept state goes when its checkpoints are deleted: until then a driver that starts anew finds it again.
void Driver::ForgetOldJobs() {
  std::vector<std::shared_ptr<LiveJob>> ended;
  for (const auto& [id, job] : jobs_) {
    if (job->ended() && !damaged_.contains(id)) ended.push_back(job);
  }
  if (ended.size() <= options_.ended_jobs_kept) return;
  // What a driver believes that is over may be old news.
  if (const absl::Status status = term_.Check(); !status.ok()) return hooks_.on_term_over(status);
  std::ranges::sort(ended, {}, [](const auto& job) { return job->record().submitted_time_us; });
  for (std::size_t i = 0; i + options_.ended_jobs_kept < ended.size(); ++i) {
    const std::string id = ended[i]->record().id;
    const std::string sha256 = ended[i]->record().sha256;
    jobs_.erase(id);
    if (ended[i]->record().plan.checkpoint_interval_us() == 0) {
      RemoveJob(id, sha256);
    } else {
      forgotten_[id] = sha256;
      janitor_.Forget(id);
    }
  }
}

void Driver::RemoveJob(const std::string& id, const std::string& sha256) {
  if (const absl::Status status = RemoveJobDirectory(JobDir(id)); !status.ok())
    log::Warn("cannot remove an old job", {{"job", id}, {"error", Message(status)}});
  const bool used =
      std::ranges::any_of(jobs_, [&](const auto& entry) { return entry.second->record().sha256 == sha256; }) ||
      std::ranges::any_of(forgotten_, [&](const auto& entry) { return entry.second == sha256; });
  if (!used) (void)artifacts_.Remove(sha256);
}

// A file of one job may be needed by another that went on from it. What a job needs whose journal cannot be read nobody
// knows: until it is mended nothing is looked through.
void Driver::SweepCheckpoints() {
  const std::vector<std::string> executors = executors_.connected();
  if (executors.empty() || !damaged_.empty()) return;
  std::map<std::string, bool> jobs;
  for (const auto& [id, job] : jobs_) {
    if (job->record().plan.checkpoint_interval_us() > 0) jobs[id] = job->ended();
  }
  const std::optional<CheckpointJanitor::Sweep> sweep = janitor_.Next(loop_.now_us(), jobs);
  if (!sweep) return;
  if (const absl::Status status = term_.Check(); !status.ok()) return hooks_.on_term_over(status);
  v1::ExecutorCommand command;
  v1::SweepCheckpoints& request = *command.mutable_sweep();
  request.set_request(sweep->request);
  request.set_job_id(sweep->job);
  request.set_through_batch(sweep->all ? UINT64_MAX : jobs_.at(sweep->job)->checkpoints_settled_through());
  for (const auto& [id, job] : jobs_) {
    for (const std::string& name : job->CheckpointFiles()) {
      if (name.starts_with(sweep->job + "/")) request.add_keep(name);
    }
  }
  sweep_keeps_ = request.keep_size() > 0;
  SendToExecutor(executors[sweep->request % executors.size()], std::move(command));
}

void Driver::CheckpointsSwept(const std::string& executor, const v1::CheckpointsSwept& swept) {
  if (!swept.error().empty())
    log::Warn("files of checkpoints not deleted", {{"executor", executor}, {"error", swept.error()}});
  if (swept.files() > 0)
    log::Info("files of checkpoints deleted",
              {{"executor", executor}, {"files", swept.files()}, {"bytes", swept.bytes()}});
  const auto gone = janitor_.Answered(loop_.now_us(), swept.request(), swept.error().empty(), sweep_keeps_);
  if (!gone) return;
  const auto at = forgotten_.find(*gone);
  if (at == forgotten_.end()) return;
  const std::string sha256 = at->second;
  forgotten_.erase(at);
  RemoveJob(*gone, sha256);
}

// ---- executors ----

void Driver::ExecutorRegistered(const v1::Register& info, const std::string& address,
                                std::shared_ptr<ExecutorStream> stream) {
  if (MajorMinor(info.version()) != MajorMinor(kVersion)) {
    stream->Close(ToGrpc(FailedPrecondition("executor ", info.executor_id(), " has version ", info.version(),
                                            "; this driver has ", kVersion, ": install the same version on both")));
    return;
  }
  if (info.slots() < 1 || info.slots() > 1024) {
    stream->Close(ToGrpc(InvalidArgument("executor.slots is ", info.slots(), "; 1 to 1024 are possible")));
    return;
  }
  executors_.Connected(info, address, std::move(stream));
  v1::ExecutorCommand registered;
  registered.mutable_registered()->set_cluster(identity_.name.cluster);
  SendToExecutor(info.executor_id(), std::move(registered));
  const std::vector<std::string> runners(info.runners().begin(), info.runners().end());
  for (const auto& [id, job] : jobs_) job->ExecutorConnected(info.executor_id(), runners);
  for (const std::string& runner : runners) {
    const bool known = std::ranges::any_of(jobs_, [&](const auto& entry) { return entry.second->HasRunner(runner); });
    if (known) continue;
    v1::ExecutorCommand stop;
    stop.mutable_stop()->set_runner_id(runner);
    SendToExecutor(info.executor_id(), std::move(stop));
  }
}

void Driver::ExecutorLeaves(const std::string& executor) {
  executors_.Leaving(executor);
  for (const auto& [id, job] : jobs_) job->Handle(ExecutorLeaving{executor});
}

void Driver::SendToExecutor(const std::string& executor, v1::ExecutorCommand command) {
  executors_.Send(executor, std::move(command));
}

std::uint32_t Driver::RunnersOn(const std::string& executor) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(jobs_, [&](const auto& entry) { return entry.second->RunsOn(executor); }));
}

absl::StatusOr<std::string> Driver::SignRunner(const v1::CertificateRequest& request) {
  const auto job = JobById(request.job_id());
  if (!job || !job->HasRunner(request.runner_id()))
    return FailedPrecondition("runner ", request.runner_id(), " is not wanted any more");
  MR_ASSIGN_OR_RETURN(const std::string key, ReadFile(options_.issuer_key));
  MR_ASSIGN_OR_RETURN(const std::string chain, ReadFile(options_.issuer_cert));
  return SignCsr({key, chain}, request.csr_pem(),
                 Concat("spiffe://", identity_.name.cluster, "/runner/", request.job_id(), "/", request.runner_id()),
                 kRunnerCertificateLifetime);
}

}  // namespace millrace
