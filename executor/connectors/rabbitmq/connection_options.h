// How to reach a RabbitMQ server: the options that source and sink share. Options: hosts, virtual_host, username,
// password_file, tls, ca_file, certificate_file, key_file, heartbeat_ms, connect_timeout_ms.
//
// The password itself is no option: options are shown in plans and statuses. It is read from its file, on the machine
// that connects, each time a connection is made, so that a new one is taken over without a new submit.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/options.h"

namespace millrace::rabbitmq {

struct Endpoint {
  std::string host;
  int port = 0;
  std::string text() const;  // "host:port"
};

struct ConnectionOptions {
  std::vector<Endpoint> hosts;  // tried in turn
  std::string virtual_host;
  std::string username;
  std::string password_file;  // empty: the password "guest", for the user guest
  bool tls = false;
  std::string ca_file;           // empty: the authorities that this machine trusts
  std::string certificate_file;  // ours, with key_file; empty: none is shown
  std::string key_file;
  int heartbeat_s = 0;
  int connect_timeout_ms = 0;
};

inline constexpr std::array<std::string_view, 10> kConnectionOptionNames = {
    "hosts",   "virtual_host",     "username", "password_file", "tls",
    "ca_file", "certificate_file", "key_file", "heartbeat_ms",  "connect_timeout_ms"};

absl::StatusOr<ConnectionOptions> ReadConnectionOptions(const OptionReader& reader);

// The texts between commas, without blanks around them; empty ones are left out.
std::vector<std::string> SplitList(std::string_view text);

}  // namespace millrace::rabbitmq
