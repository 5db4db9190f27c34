#include "client/cli/settings.h"

#include <cstdlib>
#include <filesystem>

#include "common/config/config.h"
#include "common/net/driver_addresses.h"

namespace millrace::cli {
namespace {

constexpr OptionSpec kOptions[] = {
    {.key = "driver",
     .default_text = "127.0.0.1:7077",
     .doc = "HOST:PORT of the driver, or of each of several, with commas between."},
    {.key = "timeout",
     .type = OptionType::kDuration,
     .default_text = "10s",
     .doc = "How long to wait for a connection or an answer.",
     .min = 10'000,
     .max = 3'600'000'000},
    {.key = "tls.dir", .default_text = "", .doc = "Directory of ca.crt, client.crt and client.key."},
    {.key = "tls.ca", .default_text = "", .doc = "The CA's certificate. Beats tls.dir, as do the next two."},
    {.key = "tls.cert", .default_text = "", .doc = "The client's certificate."},
    {.key = "tls.key", .default_text = "", .doc = "The client's private key."},
};

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

// The file that was asked for, else the user's own if it is there, else none.
std::string ConfigFile(const GlobalOptions& given) {
  if (!given.config.empty()) return given.config;
  std::string base = Environment("XDG_CONFIG_HOME");
  if (base.empty()) {
    const std::string home = Environment("HOME");
    if (home.empty()) return {};
    base = home + "/.config";
  }
  const std::string path = base + "/millrace/client.yaml";
  std::error_code error;
  return std::filesystem::exists(path, error) ? path : std::string();
}

// A relative path in a file is relative to that file.
std::string PathIn(const std::string& file, const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  return (std::filesystem::path(file).parent_path() / path).string();
}

// Later calls beat earlier ones.
void UseDirectory(TlsFiles& files, const std::string& dir) {
  if (!dir.empty()) files = {dir + "/ca.crt", dir + "/client.crt", dir + "/client.key"};
}
void UseFile(std::string& target, const std::string& path) {
  if (!path.empty()) target = path;
}

absl::Status CheckComplete(const TlsFiles& files) {
  for (const auto& [file, option] : {std::pair{&files.ca, "--ca"}, {&files.cert, "--cert"}, {&files.key, "--key"}}) {
    if (!file->empty()) continue;
    return InvalidArgument("no ", option,
                           " is given: use --tls-dir DIR with ca.crt, client.crt and client.key, MILLRACE_TLS_DIR, "
                           "or tls.dir in ~/.config/millrace/client.yaml");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ClientOptions> ResolveSettings(const GlobalOptions& given) {
  const std::string file = ConfigFile(given);
  MR_ASSIGN_OR_RETURN(const Config config, LoadConfig(kOptions, file, {}, nullptr));
  ClientOptions options;
  options.target = config.String("driver");
  if (const std::string driver = Environment("MILLRACE_DRIVER"); !driver.empty()) options.target = driver;
  if (!given.driver.empty()) options.target = given.driver;

  MR_RETURN_IF_ERROR(DriverAddresses::Parse(options.target).status());

  std::int64_t timeout_us = config.DurationUs("timeout");
  if (!given.timeout.empty()) {
    const auto parsed = ParseDuration(given.timeout);
    if (!parsed.ok()) return Annotate(parsed.status(), "--timeout");
    if (*parsed < 10'000) return InvalidArgument("--timeout ", given.timeout, ": at least 10ms");
    timeout_us = *parsed;
  }
  options.timeout = std::chrono::milliseconds(timeout_us / 1000);

  UseDirectory(options.tls, PathIn(file, config.String("tls.dir")));
  UseFile(options.tls.ca, PathIn(file, config.String("tls.ca")));
  UseFile(options.tls.cert, PathIn(file, config.String("tls.cert")));
  UseFile(options.tls.key, PathIn(file, config.String("tls.key")));
  UseDirectory(options.tls, Environment("MILLRACE_TLS_DIR"));
  UseDirectory(options.tls, given.tls_dir);
  UseFile(options.tls.ca, given.ca);
  UseFile(options.tls.cert, given.cert);
  UseFile(options.tls.key, given.key);
  MR_RETURN_IF_ERROR(CheckComplete(options.tls));
  return options;
}

std::string DescribeSettings() {
  return Concat(
      "~/.config/millrace/client.yaml, or the file of --config. Options and the environment (MILLRACE_DRIVER,\n"
      "MILLRACE_TLS_DIR) beat it. Relative paths are relative to the file.\n\n",
      DescribeKeys(kOptions));
}

}  // namespace millrace::cli
