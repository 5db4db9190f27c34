// The options of the socket source, read and checked: hosts, framing, max_record_bytes, too_long, reliable, tls,
// ca_file, certificate_file, key_file, server_name, connect_timeout_ms, keepalive_ms, idle_timeout_ms.
//
//   MR_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(description));
//
// Plain data. Errors: InvalidArgument names operator, option, value and remedy. Whether the files can be read is asked
// where the connection is made, since they are there.
#pragma once

#include <chrono>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/net/endpoint.h"
#include "executor/connectors/net/tls_context.h"
#include "executor/connectors/socket/framer.h"
#include "millrace/engine.h"

namespace millrace::sockets {

struct Settings {
  std::vector<net::Endpoint> hosts;  // a split each, called as Name() says
  Framing framing;
  bool reliable = false;
  bool tls = false;
  net::TlsOptions tls_options = {};
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds keepalive{30'000};  // 0: none
  std::chrono::milliseconds idle_timeout{0};    // 0: none
};

absl::StatusOr<Settings> ReadSettings(const engine::OperatorDescription& description);

}  // namespace millrace::sockets
