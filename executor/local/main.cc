// millrace-local: driver, executor and runner of one job in one process, without a network: for gdb, for a first try,
// for embedding. `millrace local` starts it; docs/millrace.md describes it. The code that runs is the cluster's own:
// the same job master, the same runner.
#include <signal.h>

#include <cstdio>
#include <filesystem>
#include <thread>

#include "common/daemon.h"
#include "common/log.h"
#include "common/status.h"
#include "common/version.h"
#include "executor/local/local_cluster.h"
#include "executor/local/local_options.h"

int main(int argc, char** argv) {
  using namespace millrace;
  const auto options = ParseLocalOptions(argc, argv);
  if (!options.ok()) return DaemonFailed("millrace local", options.status(), kExitUsage);
  (void)InitLogging({"warn", "text", "local"});
  const sigset_t stop_signals = BlockStopSignals();  // before any thread is made
  auto cluster = LocalCluster::Make(*options);
  if (!cluster.ok()) return DaemonFailed("millrace local", cluster.status(), kExitFailure);
  std::thread signals([&] {
    for (;;) {
      WaitForStop(stop_signals);
      (*cluster)->RequestStop();
    }
  });
  signals.detach();  // waits for a signal that may never come
  const absl::Status ended = (*cluster)->Run();
  cluster->reset();
  std::fflush(stdout);
  _exit(ended.ok() ? 0 : DaemonFailed("millrace local", ended, 8));
}
