// The options that say how a cluster is reached, which sink and lookup have in common, read and checked.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/options.h"
#include "executor/connectors/options.h"

namespace millrace::cassandra {

inline constexpr std::array<std::string_view, 14> kClientOptionNames = {"contact_points",     "port",
                                                                        "consistency",        "username",
                                                                        "password_file",      "tls",
                                                                        "tls_ca_file",        "tls_cert_file",
                                                                        "tls_key_file",       "tls_server_name",
                                                                        "local_datacenter",   "max_in_flight",
                                                                        "connect_timeout_ms", "request_timeout_ms"};

template <std::size_t N, std::size_t M>
constexpr std::array<std::string_view, N + M> JoinNames(const std::array<std::string_view, N>& a,
                                                        const std::array<std::string_view, M>& b) {
  std::array<std::string_view, N + M> all;
  std::copy(b.begin(), b.end(), std::copy(a.begin(), a.end(), all.begin()));
  return all;
}

// InvalidArgument names the operator, the option, its value and what is allowed.
absl::Status ReadClientOptions(const OptionReader& options, ClientOptions& out);
// Names separated by commas; none is empty or there twice.
absl::StatusOr<std::vector<std::string>> ReadColumnNames(const OptionReader& options, std::string_view option);
// The parts of a text between its commas.
std::vector<std::string> SplitAtCommas(std::string_view text);

}  // namespace millrace::cassandra
