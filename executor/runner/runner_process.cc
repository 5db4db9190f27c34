#include "executor/runner/runner_process.h"

#include "common/dataflow/wire.h"
#include "common/log.h"
#include "common/net/server.h"
#include "common/status.h"
#include "executor/runner/crash_handler.h"

namespace millrace {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kReconnectWait = 100'000;

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
  MR_ASSIGN_OR_RETURN(DriverAddresses drivers, DriverAddresses::Parse(bootstrap.driver()));
  auto process = std::unique_ptr<RunnerProcess>(new RunnerProcess(std::move(drivers), std::move(identity), crash));
  MR_RETURN_IF_ERROR(process->Open(bootstrap, std::move(job)));
  return process;
}

RunnerProcess::RunnerProcess(DriverAddresses drivers, TlsIdentity identity, CrashPage* crash)
    : identity_(std::move(identity)), crash_(crash), channel_(std::move(drivers), identity_) {}

RunnerProcess::~RunnerProcess() = default;

absl::Status RunnerProcess::Open(const v1::RunnerBootstrap& bootstrap, LoadedJob job) {
  RunnerSettings settings{bootstrap.job_id(),       bootstrap.runner_id(), bootstrap.data_dir(),
                          bootstrap.memory_bytes(), bootstrap.slots(),     {bootstrap.checkpoint_dir(), {}}};
  settings.checkpoints.s3.endpoint = bootstrap.s3().endpoint();
  settings.checkpoints.s3.region = bootstrap.s3().region();
  settings.checkpoints.s3.credentials_file = bootstrap.s3().credentials_file();
  settings.checkpoints.s3.http.ca_file = bootstrap.s3().ca_file();
  MR_ASSIGN_OR_RETURN(runner_, Runner::Make(settings, std::move(job), loop_, *this));
  peers_ = std::make_unique<PeerLinks>(
      loop_, identity_, settings.job_id, settings.runner_id,
      [this](const std::string& peer) { runner_->Step(runner::PeerReconnected{peer}); },
      [this](const std::string& peer, std::vector<runner::MadeBlock> blocks) {
        runner_->Resend(peer, std::move(blocks));
      });
  block_service_ = std::make_unique<BlockService>(identity_, settings.job_id, runner_->blocks(),
                                                  [this](std::uint64_t epoch, BlockKey key, std::uint64_t input_hash) {
                                                    runner_->TakeBlock(epoch, key, input_hash);
                                                  });
  int port = 0;
  MR_ASSIGN_OR_RETURN(
      server_, StartServer(HostPort(bootstrap.host(), 0), identity_, "executor.host", {block_service_.get()}, &port));
  hello_.set_job_id(settings.job_id);
  hello_.set_runner_id(settings.runner_id);
  hello_.set_block_address(HostPort(bootstrap.host(), port));
  hello_.set_fingerprint(runner_->fingerprint());
  hello_.set_slots(settings.slots);
  loop_.Post([this] { ConnectDriver(); });
  return absl::OkStatus();
}

void RunnerProcess::ConnectDriver() {
  driver_ = DriverStream::Make({
      .on_message =
          [this](v1::RunnerCommand command, std::function<void()> next) {
            loop_.Post([this, command = std::move(command), next = std::move(next)] {
              told_lost_ = false;
              if (const absl::Status status = runner_->Handle(command); !status.ok()) {
                log::Error("command refused, asking the driver again", {{"why", Message(status)}});
                driver_->Close();  // on a new stream it sends everything that we may lack
              }
              block_service_->NoteEpoch(runner_->epoch());
              next();
            });
          },
      .on_closed = [this](const grpc::Status& status) { loop_.Post([this, status] { DriverClosed(status); }); },
  });
  driver_->context().set_wait_for_ready(false);
  const auto stub = v1::Cluster::NewStub(channel_.channel());
  driver_->Start([&](grpc::ClientContext* context, auto* reactor) { stub->async()->Runner(context, reactor); });
  v1::RunnerMessage message;
  *message.mutable_hello() = hello_;
  if (const Holding holding = runner_->holding(); holding.route_version != 0)
    wire::ToProto(holding, message.mutable_hello()->mutable_holding());
  Report(std::move(message));
}

// A driver that answers, and does not want this runner, ends it. One that is gone has a successor, soon or late.
void RunnerProcess::DriverClosed(const grpc::Status& status) {
  const std::string why = ExplainConnectFailure(status, channel_.target());
  switch (status.error_code()) {
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::PERMISSION_DENIED:
      EndRunner(crash_, Concat("the driver does not want it: ", why).c_str(), 0);
    default:
      break;
  }
  if (!std::exchange(told_lost_, true)) log::Warn("driver lost, waiting for the next", {{"why", why}});
  channel_.Next(status);
  loop_.PostAt(loop_.now_us() + kReconnectWait, [this] { ConnectDriver(); });
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

void RunnerProcess::Report(v1::RunnerMessage message) {
  if (driver_) driver_->Send(std::move(message));  // what a dead stream swallows the next driver asks for again
}

void RunnerProcess::UpdatePeers(const std::vector<Peer>& peers) { peers_->Update(peers); }

void RunnerProcess::Push(const std::string& runner, std::uint64_t epoch,
                         std::vector<std::shared_ptr<const Block>> blocks) {
  peers_->Push(runner, epoch, std::move(blocks));
}

void RunnerProcess::Ask(const std::string& runner, const std::vector<runner::MadeBlock>& blocks) {
  block_service_->Ask(runner, blocks);
}

}  // namespace millrace
