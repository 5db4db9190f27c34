// millrace-driver: the control plane. See docs/millrace-driver.md.
#include <unistd.h>

#include <functional>
#include <mutex>
#include <thread>

#include "common/daemon.h"
#include "common/log.h"
#include "common/net/grpc_log.h"
#include "common/net/tls.h"
#include "common/status.h"
#include "driver/candidate.h"
#include "driver/driver.h"
#include "driver/options.h"

namespace millrace {
namespace {

// A driver whose term is over must do nothing more, not even put its affairs in order: they are another's now. Whoever
// supervises this process starts it again, and it stands by.
[[noreturn]] void EndTerm(const std::string& why) {
  log::Error("the term is over, this driver steps down", {{"why", why}});
  _exit(kExitTermOver);
}

// What a signal stops: the wait for an election, then the driver.
class Stoppable {
 public:
  void Set(std::function<void()> stop) {
    const std::lock_guard lock(mutex_);
    stop_ = std::move(stop);
    if (stopped_) stop_();
  }
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (stop_) stop_();
  }

 private:
  std::mutex mutex_;
  bool stopped_ = false;
  std::function<void()> stop_;
};

[[noreturn]] void Serve(const DriverOptions& options, const sigset_t& stop_signals) {
  Stoppable stoppable;
  std::thread([&] {
    log::Info("driver stops", {{"signal", WaitForStop(stop_signals)}});
    stoppable.Stop();
  }).detach();  // every way out of here ends the process
  const auto failed = [](const absl::Status& status) { _exit(DaemonFailed("millrace-driver", status, kExitFailure)); };

  DriverHooks hooks{.before_listening = nullptr,
                    .on_term_over = [](const absl::Status& why) { EndTerm(Message(why)); }};
  std::unique_ptr<Candidate> candidate;
  if (options.one_of_several()) {
    auto started = Candidate::Start(
        options, [](const std::string& why) { EndTerm(Concat("its lease in etcd has ended: ", why)); });
    if (!started.ok()) failed(started.status());
    candidate = *std::move(started);
    stoppable.Set([&] { candidate->Interrupt(); });
    if (!candidate->AwaitElection()) {
      candidate->Resign();
      _exit(0);
    }
    hooks.before_listening = [&] { candidate->FreePort(); };
  }
  auto driver = Driver::Start(options, std::move(hooks));
  if (!driver.ok()) {
    if (candidate) candidate->Resign();
    failed(driver.status());
  }
  stoppable.Set([&] { (*driver)->Stop(); });
  (*driver)->Run();
  (*driver)->Finish();
  if (candidate) candidate->Resign();
  _exit(0);  // gRPC takes seconds to end its threads, and there is nothing left that they could do
}

}  // namespace
}  // namespace millrace

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
  TrustGrpcLocks();
  const sigset_t stop_signals = BlockStopSignals();  // before any thread is made
  RaiseFileLimit();
  RequireTls13();
  Serve(*options, stop_signals);
}
