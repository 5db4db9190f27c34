// The runner as a process of its own: a Runner whose driver and peers are reached over mutual TLS. It outlives its
// driver: with partitions, state and blocks it waits for the next one, for as long as its executor lets it. It ends
// when a driver says that it is not wanted.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "common/net/driver_channel.h"
#include "common/net/stream.h"
#include "common/net/tls.h"
#include "executor/agent/crash_page.h"
#include "executor/runner/block_service.h"
#include "executor/runner/peer_links.h"
#include "executor/runner/runner.h"
#include "millrace/v1/cluster.grpc.pb.h"
#include "millrace/v1/runner.pb.h"

namespace grpc {
class Server;
}

namespace millrace {

class RunnerProcess final : public RunnerTransport {
 public:
  // `crash`: where last words go. An error is the last word.
  static absl::StatusOr<std::unique_ptr<RunnerProcess>> Start(const v1::RunnerBootstrap& bootstrap,
                                                              const std::string& library_path, CrashPage* crash);
  ~RunnerProcess() override;
  [[noreturn]] void Run();

  void Report(v1::RunnerMessage message) override;
  void UpdatePeers(const std::vector<Peer>& peers) override;
  void Push(const std::string& runner, std::uint64_t epoch, std::vector<std::shared_ptr<const Block>> blocks) override;
  void Ask(const std::string& runner, const std::vector<runner::MadeBlock>& blocks) override;

 private:
  using DriverStream = ClientStream<v1::RunnerCommand, v1::RunnerMessage>;

  RunnerProcess(DriverAddresses drivers, TlsIdentity identity, CrashPage* crash);
  absl::Status Open(const v1::RunnerBootstrap& bootstrap, LoadedJob job);
  void ConnectDriver();
  void DriverClosed(const grpc::Status& status);
  void ReportStatus();

  const TlsIdentity identity_;
  CrashPage* const crash_;
  DriverChannel channel_;
  EventLoop loop_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<PeerLinks> peers_;
  std::unique_ptr<BlockService> block_service_;
  std::unique_ptr<grpc::Server> server_;
  v1::RunnerHello hello_;
  std::shared_ptr<DriverStream> driver_;
  bool told_lost_ = false;  // in the log
};

}  // namespace millrace
