#include "executor/connectors/rabbitmq/connection_options.h"

#include <algorithm>

#include "common/status.h"

namespace millrace::rabbitmq {
namespace {

constexpr int kPort = 5672;
constexpr int kTlsPort = 5671;

// "host", "host:port", "[address]:port".
absl::StatusOr<Endpoint> ReadEndpoint(const OptionReader& reader, std::string_view text, bool tls) {
  Endpoint endpoint{std::string(text), tls ? kTlsPort : kPort};
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const std::size_t bracket = text.find(']');
  if (bracketed && bracket == std::string_view::npos) return reader.Bad("hosts", "has no ']' in '", text, "'");
  if (colon != std::string_view::npos && (!bracketed || colon > bracket)) {
    std::uint64_t port = 0;
    if (!ParseNumber(text.substr(colon + 1), port) || port < 1 || port > 65'535) {
      return reader.Bad("hosts", "must be host:port with a port from 1 to 65535, not '", text,
                        "' (an IPv6 address stands in brackets)");
    }
    endpoint.host = text.substr(0, colon);
    endpoint.port = static_cast<int>(port);
  }
  if (bracketed) endpoint.host = text.substr(1, bracket - 1);
  if (endpoint.host.empty()) return reader.Bad("hosts", "has no host in '", text, "'");
  return endpoint;
}

absl::Status CheckTls(const OptionReader& reader, const ConnectionOptions& options) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return reader.Bad(options.key_file.empty() ? "key_file" : "certificate_file",
                      "is missing: a certificate and its key belong together");
  }
  if (options.tls) return absl::OkStatus();
  for (const auto& [name, value] :
       {std::pair<std::string_view, const std::string&>{"ca_file", options.ca_file},
        std::pair<std::string_view, const std::string&>{"certificate_file", options.certificate_file}}) {
    if (!value.empty()) return reader.Bad(name, "has the value '", value, "', but tls is false; set tls = true");
  }
  return absl::OkStatus();
}

}  // namespace

std::string Endpoint::text() const {
  return host.find(':') == std::string::npos ? Concat(host, ":", port) : Concat("[", host, "]:", port);
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view word = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

absl::StatusOr<ConnectionOptions> ReadConnectionOptions(const OptionReader& reader) {
  ConnectionOptions options;
  MR_ASSIGN_OR_RETURN(options.tls, reader.Bool("tls", false));
  MR_ASSIGN_OR_RETURN(const std::string hosts, reader.Required("hosts"));
  for (const std::string& text : SplitList(hosts)) {
    MR_ASSIGN_OR_RETURN(Endpoint endpoint, ReadEndpoint(reader, text, options.tls));
    options.hosts.push_back(std::move(endpoint));
  }
  if (options.hosts.empty()) return reader.Bad("hosts", "names no host in '", hosts, "'");
  options.virtual_host = reader.Text("virtual_host", "/");
  options.username = reader.Text("username", "guest");
  options.password_file = reader.Text("password_file", "");
  if (options.password_file.empty() && options.username != "guest") {
    return reader.Bad("password_file", "is missing; the user '", options.username,
                      "' needs one, readable on every executor");
  }
  options.ca_file = reader.Text("ca_file", "");
  options.certificate_file = reader.Text("certificate_file", "");
  options.key_file = reader.Text("key_file", "");
  MR_RETURN_IF_ERROR(CheckTls(reader, options));
  MR_ASSIGN_OR_RETURN(const auto heartbeat_ms, reader.Number("heartbeat_ms", 10'000, 1'000, 600'000));
  options.heartbeat_s = static_cast<int>((heartbeat_ms + 999) / 1'000);  // AMQP counts in seconds
  MR_ASSIGN_OR_RETURN(const auto connect_ms, reader.Number("connect_timeout_ms", 5'000, 100, 120'000));
  options.connect_timeout_ms = static_cast<int>(connect_ms);
  return options;
}

}  // namespace millrace::rabbitmq
