#include "executor/runner/runner_process.h"

#include "common/net/server.h"
#include "common/status.h"
#include "executor/runner/crash_handler.h"

namespace millrace {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

std::string HostPort(const std::string& host, int port) {
  return host.find(':') == std::string::npos ? Concat(host, ":", port) : Concat("[", host, "]:", port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunnerProcess>> RunnerProcess::Start(const v1::RunnerBootstrap& bootstrap,
                                                                    const std::string& library_path, CrashPage* crash) {
  const engine::JobParameters parameters{
      bootstrap.name(), {bootstrap.arguments().begin(), bootstrap.arguments().end()}, bootstrap.batch_interval_us()};
  MR_ASSIGN_OR_RETURN(LoadedJob job, LoadJob(library_path, parameters));
  if (job.plan.fingerprint() != bootstrap.fingerprint()) {
    return InvalidArgument(
        "the job builds another graph here than when it was planned: its body must not depend on time, randomness or "
        "the machine");
  }
  MR_ASSIGN_OR_RETURN(TlsIdentity identity,
                      MakeIdentity(bootstrap.key_pem(), bootstrap.chain_pem(), bootstrap.ca_pem(), "runner"));
  auto process = std::unique_ptr<RunnerProcess>(new RunnerProcess(bootstrap.driver(), std::move(identity), crash));
  MR_RETURN_IF_ERROR(process->Open(bootstrap, std::move(job)));
  return process;
}

RunnerProcess::RunnerProcess(std::string driver, TlsIdentity identity, CrashPage* crash)
    : driver_target_(std::move(driver)), identity_(std::move(identity)), crash_(crash) {}

RunnerProcess::~RunnerProcess() = default;

absl::Status RunnerProcess::Open(const v1::RunnerBootstrap& bootstrap, LoadedJob job) {
  const RunnerSettings settings{bootstrap.job_id(),       bootstrap.runner_id(), bootstrap.data_dir(),
                                bootstrap.memory_bytes(), bootstrap.slots(),     bootstrap.checkpoint_dir()};
  MR_ASSIGN_OR_RETURN(runner_, Runner::Make(settings, std::move(job), loop_, *this));
  peers_ = std::make_unique<PeerLinks>(
      loop_, identity_, settings.job_id, settings.runner_id,
      [this](const std::string& peer) { runner_->Step(runner::PeerReconnected{peer}); },
      [this](const std::string& peer, std::vector<runner::MadeBlock> blocks) {
        runner_->Resend(peer, std::move(blocks));
      });
  block_service_ = std::make_unique<BlockService>(
      identity_, settings.job_id, runner_->blocks(),
      [this](BlockKey key, std::uint64_t input_hash) { runner_->TakeBlock(key, input_hash); });
  int port = 0;
  MR_ASSIGN_OR_RETURN(
      server_, StartServer(HostPort(bootstrap.host(), 0), identity_, "executor.host", {block_service_.get()}, &port));
  v1::RunnerHello hello;
  hello.set_job_id(settings.job_id);
  hello.set_runner_id(settings.runner_id);
  hello.set_block_address(HostPort(bootstrap.host(), port));
  hello.set_fingerprint(runner_->fingerprint());
  hello.set_slots(settings.slots);
  ConnectDriver(hello);
  return absl::OkStatus();
}

void RunnerProcess::ConnectDriver(const v1::RunnerHello& hello) {
  channel_ = MakeChannel(driver_target_, identity_, "driver");
  stub_ = v1::Cluster::NewStub(channel_);
  driver_ = DriverStream::Make({
      .on_message =
          [this](v1::RunnerCommand command, std::function<void()> next) {
            loop_.Post([this, command = std::move(command), next = std::move(next)] {
              block_service_->NoteEpoch(command.epoch());
              runner_->Handle(command);
              next();
            });
          },
      .on_closed =
          [this](const grpc::Status& status) {
            // Without the driver a runner can do nothing that counts; its executor starts another when it is wanted.
            EndRunner(crash_, Concat("lost the driver: ", ExplainConnectFailure(status, driver_target_)).c_str(), 0);
          },
  });
  driver_->context().set_wait_for_ready(false);
  driver_->Start([this](grpc::ClientContext* context, auto* reactor) { stub_->async()->Runner(context, reactor); });
  v1::RunnerMessage message;
  *message.mutable_hello() = hello;
  Report(std::move(message));
}

void RunnerProcess::Run() {
  loop_.Post([this] { ReportStatus(); });
  loop_.Run();
  EndRunner(crash_, "the control thread ended", 1);
}

void RunnerProcess::ReportStatus() {
  v1::RunnerMessage message;
  *message.mutable_status() = runner_->Status();
  message.mutable_status()->set_corrupt_blocks(message.status().corrupt_blocks() + block_service_->corrupt());
  Report(std::move(message));
  loop_.PostAt(loop_.now_us() + kSecond, [this] { ReportStatus(); });
}

void RunnerProcess::Report(v1::RunnerMessage message) { driver_->Send(std::move(message)); }

void RunnerProcess::UpdatePeers(const std::vector<Peer>& peers) { peers_->Update(peers); }

void RunnerProcess::Push(const std::string& runner, std::uint64_t epoch,
                         std::vector<std::shared_ptr<const Block>> blocks) {
  peers_->Push(runner, epoch, std::move(blocks));
}

}  // namespace millrace
