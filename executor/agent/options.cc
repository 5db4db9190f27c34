#include "executor/agent/options.h"

#include <thread>

#include <algorithm>
#include <filesystem>

#include "common/net/driver_addresses.h"
#include "common/status.h"

namespace millrace {
namespace {

constexpr OptionSpec kOptions[] = {
    {.key = "executor.driver",
     .type = OptionType::kList,
     .default_text = "127.0.0.1:7077",
     .doc = "HOST:PORT of the driver, or of each of several: the one that leads is found."},
    {.key = "executor.host",
     .default_text = "127.0.0.1",
     .doc = "Name or address of this machine under which runners of other executors reach its runners."},
    {.key = "executor.data_dir",
     .default_text = "/var/lib/millrace/executor",
     .doc = "Job libraries and blocks that do not fit into memory."},
    {.key = "executor.checkpoint_dir",
     .default_text = "",
     .doc = "Checkpoints of state; must be one folder for all executors of the cluster. Empty: DATA_DIR/checkpoints, "
            "which "
            "is right for a single executor alone."},
    {.key = "executor.slots",
     .type = OptionType::kInteger,
     .default_text = "0",
     .doc = "Tasks that run at once; 0: as many as there are processors.",
     .unit = "tasks",
     .min = 0,
     .max = 1024},
    {.key = "executor.memory",
     .type = OptionType::kSize,
     .default_text = "256MiB",
     .doc = "Budget of each runner for blocks in memory, and for state in RocksDB.",
     .min = 1 << 20},
    {.key = "executor.runner", .default_text = "", .doc = "Path of millrace-runner; empty: beside this program."},
    {.key = "tls.ca", .default_text = "/etc/millrace/pki/ca.crt", .doc = "PEM of the cluster's CA."},
    {.key = "tls.cert",
     .default_text = "/etc/millrace/pki/executor.crt",
     .doc = "PEM of this executor's certificate, role executor. Its id is the executor's."},
    {.key = "tls.key", .default_text = "/etc/millrace/pki/executor.key", .doc = "PEM of its key."},
    {.key = "log.level", .default_text = "info", .doc = "What is logged.", .choices = "debug|info|warn|error"},
    {.key = "log.format", .default_text = "text", .doc = "How.", .choices = "text|json"},
};

std::string BesideThisProgram(std::string_view name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::string(name) : (self.parent_path() / name).string();
}

}  // namespace

std::span<const OptionSpec> ExecutorOptionTable() { return kOptions; }

absl::StatusOr<ExecutorOptions> ReadExecutorOptions(const std::string& file, const std::vector<std::string>& sets) {
  MR_ASSIGN_OR_RETURN(const Config config, LoadConfig(kOptions, file, sets));
  ExecutorOptions options;
  for (const std::string& driver : config.List("executor.driver"))
    options.driver += (options.driver.empty() ? "" : ",") + driver;
  if (const auto drivers = DriverAddresses::Parse(options.driver); !drivers.ok())
    return Annotate(drivers.status(), "executor.driver");
  options.host = config.String("executor.host");
  options.data_dir = config.String("executor.data_dir");
  options.checkpoint_dir = config.String("executor.checkpoint_dir");
  if (options.checkpoint_dir.empty()) options.checkpoint_dir = options.data_dir + "/checkpoints";
  const auto slots = static_cast<std::uint32_t>(config.Integer("executor.slots"));
  options.slots = slots == 0 ? std::max(1U, std::thread::hardware_concurrency()) : slots;
  options.memory_bytes = config.SizeBytes("executor.memory");
  const std::string& runner = config.String("executor.runner");
  options.runner = runner.empty() ? BesideThisProgram("millrace-runner") : runner;
  options.tls = {config.String("tls.ca"), config.String("tls.cert"), config.String("tls.key")};
  options.log = {config.String("log.level"), config.String("log.format"), "executor"};
  return options;
}

}  // namespace millrace
