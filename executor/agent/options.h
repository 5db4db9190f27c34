// The executor's settings: one table says key, type, default and meaning; docs/millrace-executor.md lists them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/config.h"
#include "common/log.h"
#include "common/net/tls.h"
#include "executor/state/open_checkpoint_store.h"

namespace millrace {

struct ExecutorOptions {
  std::string driver;  // HOST:PORT, or several with commas between
  std::string host;    // under which peers reach this machine's runners
  std::string data_dir;
  CheckpointPlace checkpoints;  // shared by all executors
  std::uint32_t slots = 0;
  std::uint64_t memory_bytes = 0;
  std::string runner;  // path of millrace-runner
  std::int64_t drain_us = 30'000'000;
  TlsFiles tls;
  LogOptions log;
};

std::span<const OptionSpec> ExecutorOptionTable();
absl::StatusOr<ExecutorOptions> ReadExecutorOptions(const std::string& file, const std::vector<std::string>& sets);

}  // namespace millrace
