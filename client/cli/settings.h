// Where the driver is and who we are. From high to low: options, environment (MILLRACE_DRIVER, MILLRACE_TLS_DIR), the
// configuration file, the default driver.
#pragma once

#include <string>

#include "client/lib/client.h"
#include "common/status.h"

namespace millrace::cli {

// The options that every command takes, as given; empty when not.
struct GlobalOptions {
  std::string driver;
  std::string tls_dir;
  std::string ca, cert, key;
  std::string config;
  std::string timeout;
  std::string output = "table";

  bool json() const { return output == "json"; }
};

// InvalidArgument names the setting and where it comes from; NotFound a configuration file that was asked for.
absl::StatusOr<ClientOptions> ResolveSettings(const GlobalOptions& given);

// The keys of the configuration file.
std::string DescribeSettings();

}  // namespace millrace::cli
