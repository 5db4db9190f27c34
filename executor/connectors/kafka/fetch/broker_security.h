// How a fetcher proves itself to a broker, and the broker to it. Plain data; shared by the connections of a source.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "executor/connectors/net/tls_context.h"

namespace millrace::kafka {

enum class SaslMechanism : std::uint8_t { kNone, kPlain, kScramSha256, kScramSha512 };

struct BrokerSecurity {
  std::shared_ptr<const net::TlsContext> tls = {};  // null: without
  SaslMechanism sasl = SaslMechanism::kNone;
  std::string username = {};
  std::string password = {};
};

}  // namespace millrace::kafka
