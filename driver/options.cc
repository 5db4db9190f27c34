#include "driver/options.h"

#include "common/status.h"

namespace millrace {
namespace {

constexpr OptionSpec kOptions[] = {
    {.key = "driver.listen",
     .default_text = "127.0.0.1:7077",
     .doc = "HOST:PORT where executors, runners and clients connect."},
    {.key = "driver.data_dir",
     .default_text = "/var/lib/millrace/driver",
     .doc = "Journals, job libraries, the epoch. One driver at a time."},
    {.key = "driver.reflection",
     .type = OptionType::kBool,
     .default_text = "true",
     .doc = "Serve gRPC reflection, for tools."},
    {.key = "driver.heartbeat_timeout",
     .type = OptionType::kDuration,
     .default_text = "5s",
     .doc = "An executor or runner that has been silent for so long is cut off.",
     .min = 1'000'000,
     .max = 600'000'000},
    {.key = "driver.reconnect_grace",
     .type = OptionType::kDuration,
     .default_text = "2s",
     .doc = "How long an executor whose connection broke may take to come back.",
     .min = 0,
     .max = 600'000'000},
    {.key = "driver.pending_batches",
     .type = OptionType::kInteger,
     .default_text = "4",
     .doc = "Batches of a job that may be cut and not yet committed.",
     .unit = "batches",
     .min = 1,
     .max = 1000},
    {.key = "driver.task_attempts",
     .type = OptionType::kInteger,
     .default_text = "4",
     .doc = "Failures of one task in one batch that end the job.",
     .unit = "attempts",
     .min = 1,
     .max = 100},
    {.key = "tls.ca", .default_text = "/etc/millrace/pki/ca.crt", .doc = "PEM of the cluster's CA."},
    {.key = "tls.cert",
     .default_text = "/etc/millrace/pki/driver.crt",
     .doc = "PEM of this driver's certificate, role driver."},
    {.key = "tls.key", .default_text = "/etc/millrace/pki/driver.key", .doc = "PEM of its key."},
    {.key = "tls.issuer_cert",
     .default_text = "/etc/millrace/pki/runner-issuer.crt",
     .doc = "PEM of the intermediate CA that signs runners."},
    {.key = "tls.issuer_key", .default_text = "/etc/millrace/pki/runner-issuer.key", .doc = "PEM of its key."},
    {.key = "log.level", .default_text = "info", .doc = "What is logged.", .choices = "debug|info|warn|error"},
    {.key = "log.format", .default_text = "text", .doc = "How.", .choices = "text|json"},
};

}  // namespace

std::span<const OptionSpec> DriverOptionTable() { return kOptions; }

absl::StatusOr<DriverOptions> ReadDriverOptions(const std::string& file, const std::vector<std::string>& sets) {
  MR_ASSIGN_OR_RETURN(const Config config, LoadConfig(kOptions, file, sets));
  DriverOptions options;
  options.listen = config.String("driver.listen");
  options.data_dir = config.String("driver.data_dir");
  options.reflection = config.Bool("driver.reflection");
  options.heartbeat_timeout_us = config.DurationUs("driver.heartbeat_timeout");
  options.reconnect_grace_us = config.DurationUs("driver.reconnect_grace");
  options.pending_batches_max = static_cast<std::uint64_t>(config.Integer("driver.pending_batches"));
  options.task_attempts_max = static_cast<std::uint64_t>(config.Integer("driver.task_attempts"));
  options.tls = {config.String("tls.ca"), config.String("tls.cert"), config.String("tls.key")};
  options.issuer_cert = config.String("tls.issuer_cert");
  options.issuer_key = config.String("tls.issuer_key");
  options.log = {config.String("log.level"), config.String("log.format"), "driver"};
  return options;
}

}  // namespace millrace
