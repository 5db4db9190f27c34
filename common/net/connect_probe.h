// Finds out why a TLS connection fails, by making one with OpenSSL itself: gRPC's own words are too few to tell an
// expired certificate from another CA's, or why the peer will not have ours.
//
//   ProbeResult found = ProbePeer("driver:7077", self, "driver", std::chrono::seconds(2));
//   if (found.fault != ProbeFault::kNone) std::cerr << found.text;
//
// Blocks for at most about `timeout` (plus what the name service takes). Thread-safe; holds nothing; sends no data but
// the handshake.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/net/tls.h"

namespace millrace {

enum class ProbeFault {
  kNone,         // the connection is good, as far as can be seen
  kUnreachable,  // no host, nothing listens, no answer, or no TLS
  kPeerBad,      // the peer's certificate is not one to trust
  kRefused,      // the peer does not accept our certificate
};

struct ProbeResult {
  ProbeFault fault = ProbeFault::kNone;
  std::string text;  // "127.0.0.1:7077: its certificate expired on 2026-01-31 12:00:00 UTC: …", empty for kNone
};

// `target` is HOST:PORT.
ProbeResult ProbePeer(const std::string& target, const TlsIdentity& self, std::string_view expected_role,
                      std::chrono::milliseconds timeout);

}  // namespace millrace
