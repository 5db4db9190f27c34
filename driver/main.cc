// millrace-driver: the control plane. See docs/millrace-driver.md.
#include <unistd.h>

#include <thread>

#include "common/daemon.h"
#include "common/log.h"
#include "common/net/grpc_log.h"
#include "common/net/tls.h"
#include "common/status.h"
#include "driver/driver.h"
#include "driver/options.h"

int main(int argc, char** argv) {
  using namespace millrace;
  const auto arguments = ParseDaemonArguments(argc, argv, "millrace-driver", DriverOptionTable());
  if (!arguments.ok()) return DaemonFailed("millrace-driver", arguments.status(), kExitUsage);
  if (arguments->done) return 0;
  const auto options = ReadDriverOptions(arguments->config_file, arguments->sets);
  if (!options.ok()) return DaemonFailed("millrace-driver", options.status(), kExitConfig);
  if (const absl::Status status = InitLogging(options->log); !status.ok())
    return DaemonFailed("millrace-driver", status, kExitConfig);
  RouteGrpcLog();
  const sigset_t stop_signals = BlockStopSignals();  // before any thread is made
  RaiseFileLimit();
  RequireTls13();
  auto driver = Driver::Start(*options);
  if (!driver.ok()) return DaemonFailed("millrace-driver", driver.status(), kExitFailure);
  std::thread signals([&] {
    const int signal = WaitForStop(stop_signals);
    log::Info("driver stops", {{"signal", signal}});
    (*driver)->Stop();
  });
  (*driver)->Run();
  signals.join();
  (*driver)->Finish();
  _exit(0);  // gRPC takes seconds to end its threads, and there is nothing left that they could do
}
