#include "executor/agent/options.h"

#include <thread>

#include <algorithm>
#include <filesystem>

#include "common/net/driver_addresses.h"
#include "common/object_store/s3_client.h"
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
     .doc =
         "Checkpoints of state; must be one place for all executors of the cluster: a folder that all of them mount, "
         "or s3://BUCKET/PREFIX. Empty: DATA_DIR/checkpoints, which is right for a single executor alone."},
    {.key = "executor.s3.endpoint",
     .default_text = "",
     .doc = "Of the S3 store, https://HOST[:PORT]. Empty: Amazon's of the region."},
    {.key = "executor.s3.region", .default_text = "us-east-1", .doc = "Region of the bucket."},
    {.key = "executor.s3.credentials_file",
     .default_text = "",
     .doc = "File with aws_access_key_id, aws_secret_access_key and perhaps aws_session_token. Empty: they are in the "
            "environment, as AWS_ACCESS_KEY_ID and so on."},
    {.key = "executor.s3.ca",
     .default_text = "",
     .doc = "PEM of the CA that has signed the S3 store's certificate. Empty: the system's CAs."},
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
    {.key = "executor.drain",
     .type = OptionType::kDuration,
     .default_text = "30s",
     .doc = "How long it may take, after SIGTERM, until its runners' work is elsewhere; 0: ends at once.",
     .min = 0,
     .max = 3'600'000'000},
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

// What would otherwise be found when the first job with state begins.
absl::Status CheckPlace(const CheckpointPlace& checkpoints) {
  if (!IsS3Url(checkpoints.place)) return absl::OkStatus();
  if (auto url = ParseS3Url(checkpoints.place); !url.ok()) return Annotate(url.status(), "executor.checkpoint_dir");
  if (auto client = S3Client::Make(checkpoints.s3); !client.ok())
    return Annotate(client.status(), "executor.checkpoint_dir is ", checkpoints.place, ", see executor.s3");
  const std::string& endpoint = checkpoints.s3.endpoint;
  if (endpoint.starts_with("http://") && !IsLoopbackEndpoint(endpoint))
    log::Warn("checkpoints go over the network without TLS", {{"endpoint", endpoint}});
  return absl::OkStatus();
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
  CheckpointPlace& checkpoints = options.checkpoints;
  checkpoints.place = config.String("executor.checkpoint_dir");
  if (checkpoints.place.empty()) checkpoints.place = options.data_dir + "/checkpoints";
  checkpoints.s3.endpoint = config.String("executor.s3.endpoint");
  checkpoints.s3.region = config.String("executor.s3.region");
  checkpoints.s3.credentials_file = config.String("executor.s3.credentials_file");
  checkpoints.s3.http.ca_file = config.String("executor.s3.ca");
  MR_RETURN_IF_ERROR(CheckPlace(checkpoints));
  const auto slots = static_cast<std::uint32_t>(config.Integer("executor.slots"));
  options.slots = slots == 0 ? std::max(1U, std::thread::hardware_concurrency()) : slots;
  options.memory_bytes = config.SizeBytes("executor.memory");
  options.drain_us = config.DurationUs("executor.drain");
  const std::string& runner = config.String("executor.runner");
  options.runner = runner.empty() ? BesideThisProgram("millrace-runner") : runner;
  options.tls = {config.String("tls.ca"), config.String("tls.cert"), config.String("tls.key")};
  options.log = {config.String("log.level"), config.String("log.format"), "executor"};
  return options;
}

}  // namespace millrace
