// The executor daemon: registers with the driver, plans jobs in short-lived children, and supervises one runner per
// job. It never runs user code and never sees a record. Loop thread only, apart from Run's and Stop's callers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "common/net/driver_channel.h"
#include "common/net/stream.h"
#include "common/net/tls.h"
#include "executor/agent/checkpoint_sweeper.h"
#include "executor/agent/child_process.h"
#include "executor/agent/crash_page.h"
#include "executor/agent/library_cache.h"
#include "executor/agent/options.h"
#include "millrace/v1/cluster.grpc.pb.h"
#include "millrace/v1/runner.pb.h"

namespace millrace {

class Agent {
 public:
  static absl::StatusOr<std::unique_ptr<Agent>> Start(ExecutorOptions options);
  void Run();   // until Stop, or a Leave that is done
  void Stop();  // any thread
  // Tells the driver, which moves partitions away and stops the runners; then, or when the time is over, it stops. At
  // once when the driver cannot be reached. Any thread.
  void Leave();
  // After Run: ends every runner and planner and waits for them.
  void KillChildren();

 private:
  using DriverStream = ClientStream<v1::ExecutorCommand, v1::ExecutorMessage>;

  struct Runner {
    v1::StartRunner start;
    std::string key_pem;
    std::string job_library;                // held until the process has been started
    std::unique_ptr<ChildProcess> process;  // null while it is being prepared
    CrashPage* crash = nullptr;
    bool stop_requested = false;
    int unsent_lines = 0;  // log lines dropped because there were too many
    std::int64_t log_window_us = 0;
    int log_lines = 0;
  };

  Agent(ExecutorOptions options, DriverAddresses drivers, TlsIdentity identity, ArtifactStore store);

  void Connect();
  void Connected();
  void Disconnected(const grpc::Status& status);
  void EverySecond();
  void Send(v1::ExecutorMessage message);
  void TellLeaving();
  void MaybeLeft();
  void Handle(const v1::ExecutorCommand& command);

  void Plan(const v1::PlanRequest& request);
  void StartPlanner(const v1::PlanRequest& request, const std::string& library);
  void PlannerExited(std::uint64_t request, ChildExit exit, const std::string& output);
  void AnswerPlan(std::uint64_t request, absl::StatusOr<v1::Plan> plan);

  void StartRunner(const v1::StartRunner& start);
  void AskCertificate(Runner& runner);
  void CertificateArrived(const v1::Certificate& certificate);
  absl::Status Spawn(Runner& runner, const std::string& chain_pem);
  void RunnerExited(const std::string& runner_id, ChildExit exit);
  void FailRunner(const std::string& runner_id, const absl::Status& why);
  void StopRunner(const std::string& runner_id);
  void ForwardLines(const std::string& runner_id, std::vector<std::string> lines);
  v1::RunnerBootstrap Bootstrap(const v1::StartRunner& start) const;

  const ExecutorOptions options_;
  const TlsIdentity identity_;
  EventLoop loop_;
  DriverChannel driver_;
  LibraryCache libraries_;
  CheckpointSweeper sweeper_;
  std::shared_ptr<DriverStream> stream_;
  bool registered_ = false;
  bool leaving_ = false;
  std::int64_t told_unreachable_us_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t heartbeat_ = 0;
  std::map<std::string, Runner> runners_;                            // by runner id
  std::map<std::uint64_t, std::unique_ptr<ChildProcess>> planners_;  // by request
  std::map<std::uint64_t, std::vector<std::string>> planner_words_;
};

}  // namespace millrace
