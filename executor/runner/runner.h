// The runner daemon: the shell around RunnerCore. One control thread takes events in and carries actions out; workers run tasks, committers
// wait for sinks; gRPC's threads only decode and post.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "common/net/stream.h"
#include "common/net/tls.h"
#include "executor/agent/crash_page.h"
#include "executor/blocks/block_store.h"
#include "executor/runner/block_service.h"
#include "executor/runner/core/runner_core.h"
#include "executor/runner/job_library.h"
#include "executor/runner/peer_links.h"
#include "executor/runner/sink_host.h"
#include "executor/runner/source_host.h"
#include "executor/runner/task_run.h"
#include "executor/runner/worker_pool.h"
#include "millrace/v1/cluster.grpc.pb.h"
#include "millrace/v1/runner.pb.h"

namespace grpc {
class Server;
}

namespace millrace {

class Runner {
 public:
  // `crash`: where last words go. Errors are the runner's last words.
  static absl::StatusOr<std::unique_ptr<Runner>> Start(v1::RunnerBootstrap bootstrap, const std::string& library_path, CrashPage* crash);
  ~Runner();
  // Works until the process ends: when the driver's stream breaks, or by a signal.
  [[noreturn]] void Run();

 private:
  using DriverStream = ClientStream<v1::RunnerCommand, v1::RunnerMessage>;

  Runner(v1::RunnerBootstrap bootstrap, TlsIdentity identity, LoadedJob job, JobPlan plan, CrashPage* crash);
  absl::Status Open();
  void ConnectDriver();
  void Handle(const v1::RunnerCommand& command);
  void Step(const runner::Event& event);
  void PostEvent(runner::Event event);
  void Report(v1::RunnerMessage message);
  void ReportStatus();

  void Do(const runner::ArmCut& action);
  void Do(const runner::CloseRange& action);
  void Do(const runner::ReadRange& action);
  void Do(const runner::RunReduce& action);
  void Do(const runner::CommitTask& action);
  void Do(const runner::DropTask& action);
  void Do(const runner::PushBlocks& action);
  void Do(const runner::UpdatePeers& action);
  void Do(const runner::ReleaseSplit& action);
  void Do(const runner::ReleaseSinks& action);
  void Do(const runner::DropBlocks& action);
  void Do(const runner::ReportRanges& action);
  void Do(const runner::ReportDone& action);
  void Do(const runner::ReportFailure& action);

  // On workers and committers.
  absl::StatusOr<std::shared_ptr<const Block>> GetBlock(const runner::MadeBlock& wanted);
  void CloseAndMap(const runner::CloseRange& action, std::uint64_t epoch);
  void ReadAndMap(const runner::ReadRange& action, std::uint64_t epoch);
  void Reduce(const runner::RunReduce& action, std::uint64_t epoch);
  void Map(const runner::TaskRef& ref, const Range& range, RecordBatch* records, std::uint64_t lost, std::uint64_t epoch);
  void Commit(const std::shared_ptr<TaskRun>& run, std::uint64_t epoch);
  absl::Status CommitSink(TaskRun& run, std::uint32_t sink, std::uint64_t epoch);
  void SendConsoleRows(TaskRun& run, std::uint32_t sink);
  template <class Feed>
  void Compute(const runner::TaskRef& ref, std::uint64_t input_hash, std::uint64_t lost, std::uint64_t epoch, Feed&& feed);
  void Fail(const runner::TaskRef& ref, std::uint32_t op, std::string error, bool permanent);

  const v1::RunnerBootstrap bootstrap_;
  const TlsIdentity identity_;
  const LoadedJob job_;
  const JobPlan plan_;
  CrashPage* const crash_;
  EventLoop loop_;
  runner::RunnerCore core_;
  BlockStore blocks_;
  BlockService block_service_;
  std::unique_ptr<SourceHost> sources_;
  std::unique_ptr<SinkHost> sinks_;
  PeerLinks peers_;
  std::unique_ptr<grpc::Server> server_;
  int block_port_ = 0;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Cluster::Stub> stub_;
  std::shared_ptr<DriverStream> driver_;
  std::uint64_t epoch_ = 0;
  std::map<runner::AttemptId, std::shared_ptr<TaskRun>> computed_;  // to be committed
  std::set<runner::AttemptId> dropped_;                             // while a worker still has them
  std::set<runner::AttemptId> working_;
  std::unique_ptr<WorkerPool> workers_;                             // last: they use everything above
  std::unique_ptr<WorkerPool> committers_;
};

}  // namespace millrace
