#include "executor/local/local_cluster.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "common/dataflow/wire.h"
#include "common/status.h"
#include "executor/local/row_printer.h"

namespace millrace {
namespace {

constexpr char kJobId[] = "j-local";
constexpr char kExecutor[] = "local";
constexpr std::uint64_t kMemoryBytes = std::uint64_t{1} << 30;

absl::StatusOr<LoadedJob> Load(const LocalOptions& options) {
  const std::string path = std::filesystem::absolute(options.job_library)
                               .string();  // a bare name would be looked up in the system's folders
  return LoadJob(path, {options.name, {options.arguments.begin(), options.arguments.end()}, options.batch_interval_us});
}

}  // namespace

// From the job master to the runner.
class LocalCluster::Port final : public RunnerPort {
 public:
  explicit Port(LocalCluster& cluster) : cluster_(cluster) {}
  void Send(v1::RunnerCommand command) override {
    cluster_.runner_loop_.Post(
        [&cluster = cluster_, command = std::move(command)] { MR_CHECK(cluster.runner_->Handle(command).ok()); });
  }
  void Close(const absl::Status&) override {}

 private:
  LocalCluster& cluster_;
};

LocalCluster::LocalCluster(const LocalOptions& options) : options_(options) {}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Make(const LocalOptions& options) {
  auto cluster = std::unique_ptr<LocalCluster>(new LocalCluster(options));
  MR_RETURN_IF_ERROR(cluster->Open());
  return cluster;
}

absl::Status LocalCluster::Open() {
  char dir[] = "/tmp/millrace-local-XXXXXX";
  if (mkdtemp(dir) == nullptr) return ErrnoStatus(errno, "making a folder in /tmp");
  dir_ = dir;
  MR_ASSIGN_OR_RETURN(LoadedJob loaded, Load(options_));
  MR_ASSIGN_OR_RETURN(JobPlan plan, wire::FromProto(loaded.plan));
  JobRecord record{kJobId,
                   loaded.plan.name(),
                   std::string(32, '\0'),
                   options_.arguments,
                   options_.batch_interval_us,
                   driver_loop_.now_us(),
                   loaded.plan};
  journal_ = std::make_unique<JournalService>(
      JournalOptions{.on_compact = [this](const std::string&) { driver_loop_.Post([this] { job_->Compact(); }); }});
  MR_RETURN_IF_ERROR(journal_->OpenJob(kJobId, dir_ + "/" + kJobId));
  loaded_.emplace(std::move(loaded));
  const JobSeams seams{
      .loop = driver_loop_, .journal = *journal_, .host = *this, .epoch = 1, .runner_silence_us = INT64_MAX / 2};
  job_ = std::make_shared<LiveJob>(seams, std::move(record), std::move(plan), JobLimits{}, nullptr);
  return absl::OkStatus();
}

LocalCluster::~LocalCluster() {
  runner_loop_.Stop();
  if (runner_thread_.joinable()) runner_thread_.join();
  runner_.reset();
  job_.reset();
  journal_.reset();
  std::error_code ignored;
  if (!dir_.empty()) std::filesystem::remove_all(dir_, ignored);
}

absl::Status LocalCluster::Run() {
  driver_loop_.Post([this] {
    job_->output().Follow(std::make_shared<RowPrinter>(), job_->Status(0, false), false);
    job_->ExecutorConnected(kExecutor, {});
  });
  if (options_.seconds > 0)
    driver_loop_.PostAt(driver_loop_.now_us() + options_.seconds * 1'000'000, [this] { RequestStop(); });
  driver_loop_.Run();
  MR_RETURN_IF_ERROR(error_);
  const v1::JobStatus status = job_->Status(0, false);
  if (status.state() == v1::JOB_STATE_FAILED) return Aborted(status.error());
  std::fprintf(stderr, "%s: %llu records in %llu batches\n", status.name().c_str(),
               static_cast<unsigned long long>(status.records()),
               static_cast<unsigned long long>(status.batches_committed()));
  return absl::OkStatus();
}

void LocalCluster::RequestStop() {
  driver_loop_.Post([this] {
    const bool now = std::exchange(stopping_, true);
    job_->Handle(StopRequested{now});
  });
}

void LocalCluster::JobEnded(const std::string&) { driver_loop_.Stop(); }

void LocalCluster::SendToExecutor(const std::string&, v1::ExecutorCommand command) {
  if (command.has_start()) StartRunner(command.start().runner_id());
}

// Asked for once: the runner never gets lost. The master is told that it is up in a turn of its own, as an executor
// would.
void LocalCluster::StartRunner(const std::string& runner_id) {
  driver_loop_.Post([this, runner_id] {
    auto runner = Runner::Make({kJobId, runner_id, dir_, kMemoryBytes, options_.slots, {dir_ + "/checkpoints", {}}},
                               *std::exchange(loaded_, std::nullopt), runner_loop_, *this);
    if (!runner.ok()) {
      error_ = runner.status();
      job_->Handle(StopRequested{true});
      return;
    }
    runner_ = *std::move(runner);
    runner_id_ = runner_id;
    runner_thread_ = std::thread([this] { runner_loop_.Run(); });
    v1::RunnerHello hello;
    hello.set_job_id(kJobId);
    hello.set_runner_id(runner_id);
    hello.set_fingerprint(runner_->fingerprint());
    (void)job_->RunnerConnected(hello, std::make_shared<Port>(*this));
  });
}

void LocalCluster::Report(v1::RunnerMessage message) {
  driver_loop_.Post([this, message = std::move(message)] { job_->RunnerMessage(runner_id_, message); });
}

}  // namespace millrace
