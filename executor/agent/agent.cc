#include "executor/agent/agent.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "common/log.h"
#include "common/net/grpc_status.h"
#include "common/net/runner_certificate.h"
#include "common/net/server.h"
#include "common/status.h"
#include "common/version.h"

namespace millrace {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kReconnectWait = 100'000;
constexpr std::int64_t kTellAgain = 10 * kSecond;
constexpr std::int64_t kLastWords = 50'000;  // for what is on its way to the driver
constexpr std::int64_t kTermToKill = 2 * kSecond;
constexpr std::int64_t kPlanLimit = 30 * kSecond;
constexpr int kLogLinesPerSecond = 1000;

std::string SignalText(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? Concat("signal ", signal) : Concat("SIG", name);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(ExecutorOptions options) {
  MR_ASSIGN_OR_RETURN(TlsIdentity identity, LoadIdentity(options.tls, "executor"));
  MR_RETURN_IF_ERROR(MakeDirectories(options.data_dir));
  if (!std::filesystem::exists(options.runner)) {
    return NotFound("executor.runner: there is no ", options.runner, "; install millrace-runner or say where it is");
  }
  std::error_code ignored;
  std::filesystem::remove_all(options.data_dir + "/runners", ignored);  // blocks of runners that are gone
  MR_ASSIGN_OR_RETURN(ArtifactStore store, ArtifactStore::Open(options.data_dir + "/artifacts"));
  MR_ASSIGN_OR_RETURN(DriverAddresses drivers, DriverAddresses::Parse(options.driver));
  return std::unique_ptr<Agent>(
      new Agent(std::move(options), std::move(drivers), std::move(identity), std::move(store)));
}

Agent::Agent(ExecutorOptions options, DriverAddresses drivers, TlsIdentity identity, ArtifactStore store)
    : options_(std::move(options)),
      identity_(std::move(identity)),
      driver_(std::move(drivers), identity_),
      libraries_(loop_, std::move(store), [this] { return driver_.channel(); }),
      sweeper_(options_.checkpoints, [this](v1::CheckpointsSwept swept) {
        loop_.Post([this, swept = std::move(swept)]() mutable {
          v1::ExecutorMessage message;
          *message.mutable_swept() = std::move(swept);
          Send(std::move(message));
        });
      }) {}

void Agent::KillChildren() {
  runners_.clear();
  planners_.clear();
}

void Agent::Run() {
  log::Info(
      "executor ready",
      {{"version", kVersion}, {"executor", identity_.name.id}, {"driver", options_.driver}, {"slots", options_.slots}});
  loop_.Post([this] {
    Connect();
    EverySecond();
  });
  loop_.Run();
  if (stream_) stream_->Close();
}

void Agent::Stop() { loop_.Stop(); }

void Agent::Leave() {
  loop_.Post([this] {
    if (!registered_ || options_.drain_us == 0) return Stop();
    leaving_ = true;
    TellLeaving();
    log::Info("leaving", {{"runners", runners_.size()}, {"at_most_s", options_.drain_us / kSecond}});
    loop_.PostAt(loop_.now_us() + options_.drain_us, [this] {
      log::Warn("left before all its work was elsewhere", {{"runners", runners_.size()}});
      Stop();
    });
    MaybeLeft();
  });
}

void Agent::TellLeaving() {
  v1::ExecutorMessage message;
  message.mutable_leaving();
  Send(std::move(message));
}

void Agent::MaybeLeft() {
  if (!leaving_ || !runners_.empty()) return;
  log::Info("left", {{"executor", identity_.name.id}});
  loop_.PostAt(loop_.now_us() + kLastWords, [this] { Stop(); });
}

// ---- the driver's stream ----

void Agent::Connect() {
  stream_ = DriverStream::Make({
      .on_message =
          [this](v1::ExecutorCommand command, std::function<void()> next) {
            loop_.Post([this, command = std::move(command), next = std::move(next)] {
              Handle(command);
              next();
            });
          },
      .on_closed = [this](const grpc::Status& status) { loop_.Post([this, status] { Disconnected(status); }); },
  });
  registered_ = false;
  stream_->context().set_wait_for_ready(false);
  const auto stub = v1::Cluster::NewStub(driver_.channel());
  stream_->Start([&](grpc::ClientContext* context, auto* reactor) { stub->async()->Executor(context, reactor); });
  v1::ExecutorMessage message;
  auto* info = message.mutable_register_();
  info->set_executor_id(identity_.name.id);
  info->set_version(kVersion);
  info->set_slots(options_.slots);
  info->set_memory_bytes(options_.memory_bytes);
  info->set_host(options_.host);
  // One that still waits for its certificate will not get it from a driver that has not asked for it.
  std::erase_if(runners_, [](const auto& entry) { return !entry.second.process; });
  for (const auto& [id, runner] : runners_) {
    if (!runner.stop_requested) info->add_runners(id);
  }
  Send(std::move(message));
}

void Agent::Disconnected(const grpc::Status& status) {
  const std::string why = ExplainConnectFailure(status, driver_.target());
  if (registered_) {
    log::Warn("driver lost", {{"driver", driver_.target()}, {"why", why}});
  } else if (loop_.now_us() - told_unreachable_us_ > kTellAgain) {
    told_unreachable_us_ = loop_.now_us();
    log::Warn("cannot reach the driver, trying again", {{"driver", options_.driver}, {"why", why}});
  }
  registered_ = false;
  driver_.Next(status);
  loop_.PostAt(loop_.now_us() + kReconnectWait, [this] { Connect(); });
}

void Agent::Send(v1::ExecutorMessage message) {
  if (stream_) stream_->Send(std::move(message));
}

void Agent::EverySecond() {
  if (registered_) {
    v1::ExecutorMessage message;
    message.mutable_heartbeat()->set_sequence(++heartbeat_);
    Send(std::move(message));
  }
  loop_.PostAt(loop_.now_us() + kSecond, [this] { EverySecond(); });
}

void Agent::Handle(const v1::ExecutorCommand& command) {
  if (command.epoch() < epoch_) {
    log::Warn("driver of an older term refused", {{"epoch", command.epoch()}, {"newest", epoch_}});
    if (stream_) stream_->Close();
    return;
  }
  epoch_ = command.epoch();
  switch (command.command_case()) {
    case v1::ExecutorCommand::kRegistered:
      registered_ = true;
      if (leaving_) TellLeaving();
      told_unreachable_us_ = 0;
      log::Info("registered", {{"driver", driver_.target()}, {"epoch", epoch_}});
      return;
    case v1::ExecutorCommand::kPlan:
      return Plan(command.plan());
    case v1::ExecutorCommand::kStart:
      return StartRunner(command.start());
    case v1::ExecutorCommand::kStop:
      return StopRunner(command.stop().runner_id());
    case v1::ExecutorCommand::kCertificate:
      return CertificateArrived(command.certificate());
    case v1::ExecutorCommand::kSweep:
      return sweeper_.Sweep(command.sweep());
    case v1::ExecutorCommand::COMMAND_NOT_SET:
      return;
  }
}

// ---- planning ----

void Agent::Plan(const v1::PlanRequest& request) {
  libraries_.Get(request.sha256(), [this, request](absl::StatusOr<std::string> library) {
    if (library.ok()) {
      StartPlanner(request, *library);
    } else {
      AnswerPlan(request.request(), library.status());
    }
  });
}

void Agent::StartPlanner(const v1::PlanRequest& request, const std::string& library) {
  const auto start = [&]() -> absl::Status {
    v1::RunnerBootstrap bootstrap;
    bootstrap.set_name(request.name());
    *bootstrap.mutable_arguments() = request.arguments();
    bootstrap.set_batch_interval_us(request.batch_interval_us());
    MR_ASSIGN_OR_RETURN(const Fd boot, MemoryFile("millrace-bootstrap", bootstrap.SerializeAsString(), true));
    MR_ASSIGN_OR_RETURN(const Fd image, MemoryFile("job", library, true));
    const std::uint64_t id = request.request();
    const ChildProcess::Spec spec{
        .argv = {options_.runner, "--plan"},
        .descriptors = {{v1::RUNNER_DESCRIPTOR_BOOTSTRAP, boot.get()}, {v1::RUNNER_DESCRIPTOR_LIBRARY, image.get()}},
        .split_output = true,
    };
    MR_ASSIGN_OR_RETURN(planners_[id], ChildProcess::Start(
                                           spec,
                                           [this, id](std::vector<std::string> lines) {
                                             loop_.Post([this, id, lines = std::move(lines)] {
                                               auto& words = planner_words_[id];
                                               for (const std::string& line : lines) {
                                                 if (words.size() < 50) words.push_back(line);
                                               }
                                             });
                                           },
                                           [this, id](ChildExit exit, std::string output) {
                                             loop_.Post([this, id, exit, output = std::move(output)] {
                                               PlannerExited(id, exit, output);
                                             });
                                           }));
    loop_.PostAt(loop_.now_us() + kPlanLimit, [this, id] {
      if (auto it = planners_.find(id); it != planners_.end() && it->second) it->second->Kill(SIGKILL);
    });
    return absl::OkStatus();
  };
  if (const absl::Status status = start(); !status.ok()) {
    planners_.erase(request.request());
    AnswerPlan(request.request(), status);
  }
}

void Agent::PlannerExited(std::uint64_t request, ChildExit exit, const std::string& output) {
  planners_.erase(request);
  std::string words;
  for (const std::string& line : planner_words_[request]) words += (words.empty() ? "" : "\n") + line;
  planner_words_.erase(request);
  v1::Plan plan;
  if (exit.signal == 0 && exit.exit_code == 0 && plan.ParseFromString(output)) {
    AnswerPlan(request, std::move(plan));
  } else if (exit.signal != 0) {
    AnswerPlan(request, InvalidArgument("the job body crashed with ", SignalText(exit.signal), " while it was planned",
                                        exit.signal == SIGKILL ? " (it took too long or too much memory)" : "",
                                        words.empty() ? "" : ": ", words));
  } else {
    AnswerPlan(request,
               InvalidArgument(words.empty() ? Concat("the planner ended with code ", exit.exit_code) : words));
  }
}

void Agent::AnswerPlan(std::uint64_t request, absl::StatusOr<v1::Plan> plan) {
  v1::ExecutorMessage message;
  message.mutable_plan()->set_request(request);
  if (plan.ok()) {
    *message.mutable_plan()->mutable_plan() = *std::move(plan);
  } else {
    message.mutable_plan()->set_error(Message(plan.status()));
  }
  Send(std::move(message));
}

// ---- runners ----

void Agent::StartRunner(const v1::StartRunner& start) {
  auto [it, added] = runners_.try_emplace(start.runner_id());
  if (!added) return;  // a repeated command
  it->second.start = start;
  libraries_.Get(start.sha256(), [this, id = start.runner_id()](absl::StatusOr<std::string> library) {
    const auto runner = runners_.find(id);
    if (runner == runners_.end()) return;
    if (!library.ok()) return FailRunner(id, library.status());
    runner->second.job_library = *std::move(library);
    AskCertificate(runner->second);
  });
}

void Agent::AskCertificate(Runner& runner) {
  const std::string uri =
      Concat("spiffe://", identity_.name.cluster, "/runner/", runner.start.job_id(), "/", runner.start.runner_id());
  auto made = MakeKeyAndCsr(uri);
  if (!made.ok()) return FailRunner(runner.start.runner_id(), made.status());
  runner.key_pem = made->key_pem;
  v1::ExecutorMessage message;
  auto* request = message.mutable_certificate_request();
  request->set_job_id(runner.start.job_id());
  request->set_runner_id(runner.start.runner_id());
  request->set_csr_pem(made->csr_pem);
  Send(std::move(message));
}

void Agent::CertificateArrived(const v1::Certificate& certificate) {
  const auto it = runners_.find(certificate.runner_id());
  if (it == runners_.end() || it->second.process) return;
  if (!certificate.error().empty()) {
    return FailRunner(it->first, Unavailable("the driver signed no certificate for it: ", certificate.error()));
  }
  if (const absl::Status status = Spawn(it->second, certificate.chain_pem()); !status.ok())
    FailRunner(it->first, status);
}

v1::RunnerBootstrap Agent::Bootstrap(const v1::StartRunner& start) const {
  v1::RunnerBootstrap bootstrap;
  bootstrap.set_job_id(start.job_id());
  bootstrap.set_runner_id(start.runner_id());
  bootstrap.set_name(start.name());
  *bootstrap.mutable_arguments() = start.arguments();
  bootstrap.set_batch_interval_us(start.batch_interval_us());
  bootstrap.set_fingerprint(start.fingerprint());
  bootstrap.set_driver(driver_.addresses());
  bootstrap.set_host(options_.host);
  bootstrap.set_ca_pem(identity_.ca_pem);
  bootstrap.set_slots(options_.slots);
  bootstrap.set_memory_bytes(options_.memory_bytes);
  bootstrap.set_data_dir(Concat(options_.data_dir, "/runners/", start.job_id(), "/", start.runner_id()));
  bootstrap.set_checkpoint_dir(options_.checkpoints.place);
  const S3Options& s3 = options_.checkpoints.s3;
  bootstrap.mutable_s3()->set_endpoint(s3.endpoint);
  bootstrap.mutable_s3()->set_region(s3.region);
  bootstrap.mutable_s3()->set_credentials_file(s3.credentials_file);
  bootstrap.mutable_s3()->set_ca_file(s3.http.ca_file);
  bootstrap.set_log_level(options_.log.level);
  bootstrap.set_log_format(options_.log.format);
  return bootstrap;
}

absl::Status Agent::Spawn(Runner& runner, const std::string& chain_pem) {
  const std::string id = runner.start.runner_id();
  v1::RunnerBootstrap bootstrap = Bootstrap(runner.start);
  bootstrap.set_key_pem(runner.key_pem);
  bootstrap.set_chain_pem(chain_pem);
  MR_ASSIGN_OR_RETURN(const Fd boot, MemoryFile("millrace-bootstrap", bootstrap.SerializeAsString(), true));
  MR_ASSIGN_OR_RETURN(const Fd image,
                      MemoryFile(runner.start.name().empty() ? "job" : runner.start.name(), runner.job_library, true));
  MR_ASSIGN_OR_RETURN(const Fd crash, MakeCrashPage());
  MR_ASSIGN_OR_RETURN(runner.crash, MapCrashPage(crash.get()));
  runner.job_library.clear();
  runner.job_library.shrink_to_fit();
  const ChildProcess::Spec spec{
      .argv = {options_.runner, "--job", runner.start.job_id(), "--runner",
               id},  // for `ps`; the rest comes by descriptor
      .descriptors = {{v1::RUNNER_DESCRIPTOR_BOOTSTRAP, boot.get()},
                      {v1::RUNNER_DESCRIPTOR_CRASH, crash.get()},
                      {v1::RUNNER_DESCRIPTOR_LIBRARY, image.get()}},
  };
  MR_ASSIGN_OR_RETURN(
      runner.process,
      ChildProcess::Start(
          spec,
          [this, id](std::vector<std::string> lines) {
            loop_.Post([this, id, lines = std::move(lines)]() mutable { ForwardLines(id, std::move(lines)); });
          },
          [this, id](ChildExit exit, std::string) { loop_.Post([this, id, exit] { RunnerExited(id, exit); }); }));
  log::Info("runner started", {{"job", runner.start.job_id()}, {"runner", id}, {"pid", runner.process->pid()}});
  return absl::OkStatus();
}

void Agent::ForwardLines(const std::string& runner_id, std::vector<std::string> lines) {
  const auto it = runners_.find(runner_id);
  if (it == runners_.end()) return;
  Runner& runner = it->second;
  const std::int64_t now = loop_.now_us();
  if (now - runner.log_window_us >= kSecond) {
    runner.log_window_us = now;
    runner.log_lines = 0;
    if (runner.unsent_lines > 0)
      lines.insert(lines.begin(), Concat("[", std::exchange(runner.unsent_lines, 0), " lines dropped: too many]"));
  }
  v1::ExecutorMessage message;
  message.mutable_log()->set_job_id(runner.start.job_id());
  message.mutable_log()->set_time_us(now);
  for (std::string& line : lines) {
    if (++runner.log_lines > kLogLinesPerSecond) {
      ++runner.unsent_lines;
    } else {
      message.mutable_log()->add_lines(std::move(line));
    }
  }
  if (message.log().lines_size() > 0) Send(std::move(message));
}

void Agent::RunnerExited(const std::string& runner_id, ChildExit exit) {
  const auto it = runners_.find(runner_id);
  if (it == runners_.end()) return;
  Runner& runner = it->second;
  v1::ExecutorMessage message;
  auto* exited = message.mutable_runner_exited();
  exited->set_job_id(runner.start.job_id());
  exited->set_runner_id(runner_id);
  exited->set_exit_code(exit.exit_code);
  exited->set_signal(exit.signal);
  exited->set_requested(runner.stop_requested);
  std::string detail = exit.signal != 0 ? Concat("it was ended by ", SignalText(exit.signal))
                                        : Concat("it ended with code ", exit.exit_code);
  if (runner.crash != nullptr && runner.crash->filled.load() == 1) {
    exited->set_in_operator(runner.crash->in_operator != 0);
    exited->set_operator_id(runner.crash->op);
    exited->set_batch(runner.crash->batch);
    runner.crash->detail[sizeof runner.crash->detail - 1] = '\0';
    if (runner.crash->detail[0] != '\0') detail = runner.crash->detail;
  }
  exited->set_detail(detail);
  log::Info(
      "runner ended",
      {{"job", runner.start.job_id()}, {"runner", runner_id}, {"how", detail}, {"requested", runner.stop_requested}});
  if (runner.crash != nullptr) UnmapCrashPage(runner.crash);
  std::error_code ignored;
  std::filesystem::remove_all(Concat(options_.data_dir, "/runners/", runner.start.job_id(), "/", runner_id), ignored);
  runners_.erase(it);
  Send(std::move(message));
  MaybeLeft();
}

void Agent::FailRunner(const std::string& runner_id, const absl::Status& why) {
  const auto it = runners_.find(runner_id);
  v1::ExecutorMessage message;
  auto* exited = message.mutable_runner_exited();
  exited->set_job_id(it->second.start.job_id());
  exited->set_runner_id(runner_id);
  exited->set_exit_code(1);
  exited->set_detail(Message(why));
  log::Warn("runner not started", {{"job", it->second.start.job_id()}, {"runner", runner_id}, {"why", Message(why)}});
  if (it->second.crash != nullptr) UnmapCrashPage(it->second.crash);
  runners_.erase(it);
  Send(std::move(message));
  MaybeLeft();
}

void Agent::StopRunner(const std::string& runner_id) {
  const auto it = runners_.find(runner_id);
  if (it == runners_.end()) return;
  it->second.stop_requested = true;
  if (!it->second.process) {
    runners_.erase(it);
    return MaybeLeft();
  }
  it->second.process->Kill(SIGTERM);
  loop_.PostAt(loop_.now_us() + kTermToKill, [this, runner_id] {
    const auto runner = runners_.find(runner_id);
    if (runner != runners_.end() && runner->second.process) runner->second.process->Kill(SIGKILL);
  });
}

}  // namespace millrace
