// The driver's settings: one table says key, type, default and meaning; docs/millrace-driver.md lists them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/config.h"
#include "common/log.h"
#include "common/net/tls.h"
#include "driver/election/etcd_client.h"

namespace millrace {

// Of a driver that is one of several.
struct StandbyOptions {
  std::string advertise;  // HOST:PORT under which executors, runners and clients reach this driver
  EtcdOptions etcd;       // no endpoints: this driver is alone
  std::string prefix;     // of the keys in etcd, one for each cluster
  std::chrono::seconds lease{2};
};

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
  std::uint64_t checkpoints_kept = 10;
  std::int64_t checkpoint_sweep_us = 600'000'000;
  std::uint64_t ended_jobs_kept = 100;
  StandbyOptions standby;

  bool one_of_several() const { return !standby.etcd.endpoints.empty(); }
};

std::span<const OptionSpec> DriverOptionTable();
absl::StatusOr<DriverOptions> ReadDriverOptions(const std::string& file, const std::vector<std::string>& sets);

}  // namespace millrace
