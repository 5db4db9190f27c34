#include "driver/options.h"

#include "common/net/driver_addresses.h"
#include "common/status.h"

namespace millrace {
namespace {

constexpr OptionSpec kOptions[] = {
    {.key = "driver.listen",
     .default_text = "127.0.0.1:7077",
     .doc = "HOST:PORT where executors, runners and clients connect."},
    {.key = "driver.data_dir",
     .default_text = "/var/lib/millrace/driver",
     .doc = "Journals, job libraries, the epoch. One driver at a time; with driver.etcd one folder that all drivers of "
            "the cluster share."},
    {.key = "driver.advertise",
     .default_text = "",
     .doc = "HOST:PORT under which the others reach this driver, when there are several. Empty: driver.listen."},
    {.key = "driver.etcd.endpoints",
     .type = OptionType::kList,
     .default_text = "",
     .doc =
         "https://HOST:PORT of each member of the etcd through which several drivers elect one; http:// without TLS. "
         "Empty: this driver is alone."},
    {.key = "driver.etcd.ca", .default_text = "", .doc = "PEM of the CA of etcd's servers; empty: the system's."},
    {.key = "driver.etcd.cert", .default_text = "", .doc = "PEM of the certificate to show to etcd; empty: none."},
    {.key = "driver.etcd.key", .default_text = "", .doc = "PEM of its key."},
    {.key = "driver.etcd.prefix",
     .default_text = "/millrace",
     .doc = "Of the keys in etcd; the cluster's name follows."},
    {.key = "driver.etcd.lease",
     .type = OptionType::kDuration,
     .default_text = "2s",
     .doc = "How long a leader that is silent is waited for; whole seconds.",
     .min = 1'000'000,
     .max = 60'000'000},
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
    {.key = "driver.checkpoints_kept",
     .type = OptionType::kInteger,
     .default_text = "10",
     .doc =
         "How many checkpoints of a job's state are kept, to be passed over to when a file of the newest is damaged.",
     .unit = "checkpoints",
     .min = 2,
     .max = 1000},
    {.key = "driver.checkpoint_sweep",
     .type = OptionType::kDuration,
     .default_text = "10m",
     .doc = "How often files of checkpoints are looked through for such as nobody needs.",
     .min = 1'000'000,
     .max = 86'400'000'000},
    {.key = "driver.ended_jobs",
     .type = OptionType::kInteger,
     .default_text = "100",
     .doc = "How many jobs that have ended are remembered; of older ones everything is deleted.",
     .unit = "jobs",
     .min = 0,
     .max = 100'000},
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

absl::StatusOr<StandbyOptions> ReadStandby(const Config& config) {
  StandbyOptions options;
  options.advertise = config.String("driver.advertise");
  if (options.advertise.empty()) options.advertise = config.String("driver.listen");
  options.etcd.endpoints = config.List("driver.etcd.endpoints");
  options.etcd.tls = {config.String("driver.etcd.ca"), config.String("driver.etcd.cert"),
                      config.String("driver.etcd.key")};
  options.prefix = config.String("driver.etcd.prefix");
  const std::int64_t lease_us = config.DurationUs("driver.etcd.lease");
  if (lease_us % 1'000'000 != 0)
    return InvalidArgument("driver.etcd.lease: etcd counts whole seconds, and ", lease_us, " us are not");
  options.lease = std::chrono::seconds(lease_us / 1'000'000);
  // So that within a lease each of three members can be asked, if one of them hangs.
  options.etcd.call_timeout = std::chrono::milliseconds(options.lease) / 5;
  if (options.etcd.endpoints.empty()) return options;
  const auto address = DriverAddresses::Parse(options.advertise);
  if (!address.ok() || address->several() || options.advertise.starts_with("0.0.0.0:") ||
      options.advertise.starts_with("[::]:")) {
    return InvalidArgument("driver.advertise: '", options.advertise,
                           "' is no address under which others could reach this driver: give HOST:PORT");
  }
  return options;
}

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
  options.checkpoint_sweep_us = config.DurationUs("driver.checkpoint_sweep");
  options.ended_jobs_kept = static_cast<std::uint64_t>(config.Integer("driver.ended_jobs"));
  options.checkpoints_kept = static_cast<std::uint64_t>(config.Integer("driver.checkpoints_kept"));
  options.tls = {config.String("tls.ca"), config.String("tls.cert"), config.String("tls.key")};
  options.issuer_cert = config.String("tls.issuer_cert");
  options.issuer_key = config.String("tls.issuer_key");
  options.log = {config.String("log.level"), config.String("log.format"), "driver"};
  MR_ASSIGN_OR_RETURN(options.standby, ReadStandby(config));
  return options;
}

}  // namespace millrace
