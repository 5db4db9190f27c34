// Everything that a client must know to talk to a cluster, checked. Plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "executor/connectors/net/endpoint.h"
#include "executor/connectors/net/tls_context.h"

namespace millrace::cassandra {

// As the protocol numbers them.
enum class Consistency : std::uint16_t {
  kAny = 0,
  kOne = 1,
  kTwo = 2,
  kThree = 3,
  kQuorum = 4,
  kAll = 5,
  kLocalQuorum = 6,
  kEachQuorum = 7,
  kSerial = 8,
  kLocalSerial = 9,
  kLocalOne = 10,
};

using net::Endpoint;

struct ClientOptions {
  std::vector<Endpoint> contact_points;
  std::string username;       // empty: no authentication is offered
  std::string password_file;  // its first line is the password
  bool tls = false;
  net::TlsOptions tls_options = {.names = {"tls_ca_file", "tls_cert_file", "tls_key_file", "tls_server_name"}};
  std::string local_datacenter;  // empty: that of the first contact point that answers
  Consistency consistency = Consistency::kLocalQuorum;
  Consistency serial_consistency = Consistency::kSerial;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds request_timeout{12'000};
  std::uint32_t max_in_flight = 256;  // requests of one writer
};

}  // namespace millrace::cassandra
