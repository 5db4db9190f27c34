// A whole cluster for one job, in one process: one job master, one runner, and messages handed over as calls. Both
// sides keep their own control thread, so what runs is what runs in a cluster, without a network.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "driver/jobs/live_job.h"
#include "driver/journal/journal.h"
#include "executor/local/local_options.h"
#include "executor/runner/runner.h"

namespace millrace {

class LocalCluster final : public JobHost, public RunnerTransport {
 public:
  // InvalidArgument with the loader's or planner's words.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Make(const LocalOptions& options);
  ~LocalCluster() override;

  // Prints rows to stdout until the job has ended; its error if it failed.
  absl::Status Run();
  // Stops the job after the batches in flight; at once when called again. Any thread.
  void RequestStop();

  // JobHost, on the driver's loop
  void SendToExecutor(const std::string& executor, v1::ExecutorCommand command) override;
  void JobEnded(const std::string& job_id) override;
  // RunnerTransport, on the runner's loop
  void Report(v1::RunnerMessage message) override;
  void UpdatePeers(const std::vector<Peer>&) override {}  // there are none
  void Push(const std::string&, std::uint64_t, std::vector<std::shared_ptr<const Block>>) override {}
  void Ask(const std::string&, const std::vector<runner::MadeBlock>&) override {}

 private:
  class Port;
  explicit LocalCluster(const LocalOptions& options);
  absl::Status Open();
  void StartRunner(const std::string& runner_id);

  const LocalOptions options_;
  std::string dir_;
  EventLoop driver_loop_;
  EventLoop runner_loop_;
  std::unique_ptr<JournalService> journal_;
  std::optional<LoadedJob> loaded_;  // until the runner is made of it
  std::unique_ptr<Runner> runner_;
  std::string runner_id_;
  absl::Status error_;
  std::shared_ptr<LiveJob> job_;
  std::thread runner_thread_;
  bool stopping_ = false;  // driver's loop
};

}  // namespace millrace
