// Where a server listens, as options name it.
//
//   MR_ASSIGN_OR_RETURN(Endpoint server, ParseEndpoint("[::1]:9999", 0));
//   server.Name();  // "[::1]:9999"
//
// Plain data. Errors: InvalidArgument whose text goes on from the name of an option: "has 'x:0', whose port …".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace::net {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;

  std::string Name() const;  // "10.0.0.1:9042", "[::1]:9042"
  bool operator==(const Endpoint&) const = default;
};

// "host", "host:port", "[::1]:port". Without a port it has the default, and must have one where that is 0.
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text, std::uint16_t default_port);
// The same, separated by commas.
absl::StatusOr<std::vector<Endpoint>> ParseEndpoints(std::string_view text, std::uint16_t default_port);

}  // namespace millrace::net
