#include "executor/connectors/net/endpoint.h"

#include <algorithm>
#include <limits>

#include "common/status.h"
#include "executor/connectors/options.h"

namespace millrace::net {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::string Endpoint::Name() const {
  return host.find(':') == std::string::npos ? Concat(host, ":", port) : Concat("[", host, "]:", port);
}

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text, std::uint16_t default_port) {
  Endpoint endpoint{std::string(text), default_port};
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return InvalidArgument("has '", text, "', which lacks its ']'");
    endpoint.host = text.substr(1, close - 1);
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') return InvalidArgument("has '", text, "', where a ':' should follow the ']'");
      port = text.substr(close + 2);
      if (port.empty()) return InvalidArgument("has '", text, "', which lacks its port");
    }
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos && colon == text.rfind(':')) {
    endpoint.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) return InvalidArgument("has '", text, "', which lacks its port");
  }
  if (endpoint.host.empty()) return InvalidArgument("has '", text, "', which names no host");
  if (port.empty()) {
    if (default_port == 0)
      return InvalidArgument("has '", text, "', which lacks its port; write host:port, an IPv6 address in brackets");
    return endpoint;
  }
  std::uint64_t number = 0;
  if (!ParseNumber(port, number) || number == 0 || number > std::numeric_limits<std::uint16_t>::max()) {
    return InvalidArgument("has '", text, "', whose port is not from 1 to 65535");
  }
  endpoint.port = static_cast<std::uint16_t>(number);
  return endpoint;
}

absl::StatusOr<std::vector<Endpoint>> ParseEndpoints(std::string_view text, std::uint16_t default_port) {
  std::vector<Endpoint> endpoints;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view part = Trim(text.substr(at, comma - at));
    if (part.empty()) return InvalidArgument("has an empty entry in '", text, "'");
    MR_ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(part, default_port));
    endpoints.push_back(std::move(endpoint));
    at = comma + 1;
  }
  return endpoints;
}

}  // namespace millrace::net
