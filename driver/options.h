// The driver's settings: one table says key, type, default and meaning; docs/millrace-driver.md lists them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/config.h"
#include "common/log.h"
#include "common/net/tls.h"

namespace millrace {

struct DriverOptions {
  std::string listen;  // HOST:PORT
  std::string data_dir;
  TlsFiles tls;
  std::string issuer_cert;  // intermediate CA that signs the runners' certificates
  std::string issuer_key;
  LogOptions log;
  bool reflection = true;
  std::int64_t heartbeat_timeout_us = 5'000'000;
  std::int64_t reconnect_grace_us = 2'000'000;
  std::uint64_t pending_batches_max = 4;
  std::uint64_t task_attempts_max = 4;
};

std::span<const OptionSpec> DriverOptionTable();
absl::StatusOr<DriverOptions> ReadDriverOptions(const std::string& file, const std::vector<std::string>& sets);

}  // namespace millrace
