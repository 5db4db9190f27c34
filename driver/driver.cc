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
#include "driver/jobs/carry_over.h"
#include "driver/journal/journal_files.h"
#include "driver/service/cluster_service.h"
#include "driver/service/control_service.h"

namespace millrace {
namespace {

constexpr std::size_t kEndedJobsKept = 100;
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

absl::Status Driver::RecoverJobs() {
  const std::string root = options_.data_dir + "/jobs";
  MR_ASSIGN_OR_RETURN(const auto ids, ListJobs(root));
  for (const std::string& id : ids) {
    MR_ASSIGN_OR_RETURN(const auto records, ReadJob(JobDir(id)));
    MR_ASSIGN_OR_RETURN(RecoveredJob recovered, Replay(records));
    MR_ASSIGN_OR_RETURN(JobPlan plan, wire::FromProto(recovered.record.plan));
    log::Info(
        "job recovered",
        {{"job", id}, {"committed", recovered.snapshot.committed}, {"pending", recovered.snapshot.pending.size()}});
    if (!HasEnded(recovered.state)) MR_RETURN_IF_ERROR(journal_->OpenJob(id, JobDir(id)));
    JobRecord record = recovered.record;
    AddJob(std::move(record), std::move(plan), &recovered);
    // A term that others may follow begins a file of its own.
    if (term_.fenced()) jobs_.at(id)->Compact();
  }
  return absl::OkStatus();
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

void Driver::Submit(Submission submission, std::function<void()> planned,
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
      MR_ASSIGN_OR_RETURN(const std::optional<JobSnapshot> first, TakeOver(submission.from, *plan));
      planned();
      const std::string id = NewJobId();
      MR_RETURN_IF_ERROR(journal_->OpenJob(id, JobDir(id)));
      AddJob({id, plan->name(), submission.sha256, submission.arguments, submission.batch_interval_us, loop_.now_us(),
              *plan, submission.submission},
             std::move(job_plan), nullptr, first ? &*first : nullptr);
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
absl::StatusOr<std::optional<JobSnapshot>> Driver::TakeOver(const std::string& from, const v1::Plan& plan) const {
  if (from.empty()) return std::nullopt;
  MR_ASSIGN_OR_RETURN(const std::shared_ptr<LiveJob> old, FindJob(from));
  const std::string& id = old->record().id;
  if (!old->ended())
    return FailedPrecondition("job ", id, " (", old->record().name,
                              ") is still running: stop it, then submit --from it");
  MR_ASSIGN_OR_RETURN(JobSnapshot first, CarryOver(id, old->record().plan, old->Snapshot(), plan));
  return first;
}

void Driver::AddJob(JobRecord record, JobPlan plan, const RecoveredJob* recovered, const JobSnapshot* first) {
  const JobLimits limits{.pending_batches_max = options_.pending_batches_max,
                         .attempts_max = static_cast<int>(options_.task_attempts_max)};
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

// Ended jobs stay to be looked at; beyond a number the oldest go, with their libraries when no other job uses them.
void Driver::ForgetOldJobs() {
  std::vector<std::shared_ptr<LiveJob>> ended;
  for (const auto& [id, job] : jobs_) {
    if (job->ended()) ended.push_back(job);
  }
  if (ended.size() <= kEndedJobsKept) return;
  // What a driver believes that is over may be old news.
  if (const absl::Status status = term_.Check(); !status.ok()) return hooks_.on_term_over(status);
  std::ranges::sort(ended, {}, [](const auto& job) { return job->record().submitted_time_us; });
  for (std::size_t i = 0; i + kEndedJobsKept < ended.size(); ++i) {
    const JobRecord record = ended[i]->record();
    jobs_.erase(record.id);
    if (const absl::Status status = RemoveJobDirectory(JobDir(record.id)); !status.ok()) {
      log::Warn("cannot remove an old job", {{"job", record.id}, {"error", Message(status)}});
    }
    const bool used =
        std::ranges::any_of(jobs_, [&](const auto& entry) { return entry.second->record().sha256 == record.sha256; });
    if (!used) (void)artifacts_.Remove(record.sha256);
  }
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
