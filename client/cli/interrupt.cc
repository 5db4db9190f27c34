#include "client/cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "client/cli/exit_code.h"
#include "client/lib/client.h"

namespace millrace::cli {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Lives as long as the process, as does this object, which main owns.
  std::thread([this, signals] {
    for (int signal = 0; sigwait(&signals, &signal) == 0;) {
      if (fired()) _exit(kExitInterrupted);
      Fire();
    }
  }).detach();
}

void Interrupt::UnblockSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void Interrupt::Attach(Client* client) {
  const std::lock_guard lock(mutex_);
  client_ = client;
  if (client_ != nullptr && fired_) client_->Cancel();
}

void Interrupt::Fire() {
  const std::lock_guard lock(mutex_);
  if (client_ == nullptr) _exit(kExitInterrupted);  // nothing has begun that must be ended well
  fired_ = true;
  client_->Cancel();
  wake_.notify_all();
}

bool Interrupt::fired() const {
  const std::lock_guard lock(mutex_);
  return fired_;
}

bool Interrupt::WaitFor(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, time, [this] { return fired_; });
}

}  // namespace millrace::cli
