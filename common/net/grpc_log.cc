#include "common/net/grpc_log.h"

#include <grpc/support/log.h>

#include <atomic>
#include <chrono>
#include <string_view>

#include "absl/synchronization/mutex.h"
#include "common/log.h"

namespace millrace {
namespace {

constexpr int kWarningsPerSecond = 5;

// A stranger who tries a thousand times a second must not fill the disk with it.
bool MayWarn() {
  static std::atomic<std::int64_t> second{0};
  static std::atomic<int> said{0};
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t this_second = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  if (second.exchange(this_second) != this_second) said = 0;
  return said.fetch_add(1) < kWarningsPerSecond;
}

void TakeLine(gpr_log_func_args* args) {
  const std::string_view text(args->message);
  // The one line that says why a peer was refused: "Handshake failed with fatal error SSL_ERROR_SSL: … certificate
  // verify failed".
  if (text.find("Handshake failed with fatal error") != std::string_view::npos) {
    if (MayWarn()) log::Warn("TLS handshake failed: a peer's certificate was refused, or ours was", {{"why", text}});
  } else if (args->severity == GPR_LOG_SEVERITY_ERROR) {
    log::Debug("grpc", {{"text", text}, {"file", std::string_view(args->file)}, {"line", args->line}});
  }
}

}  // namespace

void RouteGrpcLog() {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_INFO);  // refused handshakes are told at this level
  gpr_set_log_function(TakeLine);
}

void SilenceGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

void TrustGrpcLocks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace millrace
