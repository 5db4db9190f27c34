// millrace-executor: one per node; see docs/millrace-executor.md.
#include <unistd.h>

#include <thread>

#include "common/daemon.h"
#include "common/log.h"
#include "common/net/grpc_log.h"
#include "common/net/tls.h"
#include "common/status.h"
#include "executor/agent/agent.h"
#include "executor/agent/options.h"

int main(int argc, char** argv) {
  using namespace millrace;
  const auto arguments = ParseDaemonArguments(argc, argv, "millrace-executor", ExecutorOptionTable());
  if (!arguments.ok()) return DaemonFailed("millrace-executor", arguments.status(), kExitUsage);
  if (arguments->done) return 0;
  const auto options = ReadExecutorOptions(arguments->config_file, arguments->sets);
  if (!options.ok()) return DaemonFailed("millrace-executor", options.status(), kExitConfig);
  if (const absl::Status status = InitLogging(options->log); !status.ok())
    return DaemonFailed("millrace-executor", status, kExitConfig);
  RouteGrpcLog();
  TrustGrpcLocks();
  const sigset_t stop_signals = BlockStopSignals();  // before any thread is made
  RaiseFileLimit();
  RequireTls13();
  auto agent = Agent::Start(*options);
  if (!agent.ok()) return DaemonFailed("millrace-executor", agent.status(), kExitFailure);
  std::thread([&] {
    log::Info("executor leaves", {{"signal", WaitForStop(stop_signals)}});
    (*agent)->Leave();
    log::Info("executor stops", {{"signal", WaitForStop(stop_signals)}});
    (*agent)->Stop();
  }).detach();      // _exit ends it
  (*agent)->Run();  // on the main thread: children die with the thread that started them
  (*agent)->KillChildren();
  _exit(0);  // gRPC's threads may still call into what a destructor would take apart
}
