#include "executor/connectors/flume/settings.h"

#include <arpa/inet.h>

#include <array>

#include "executor/connectors/options.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 11> kNames = {"bind",
                                                     "port",
                                                     "ports",
                                                     "receivers",
                                                     "id_header",
                                                     "key_header",
                                                     "max_connections",
                                                     "max_frame_bytes",
                                                     "max_batch_events",
                                                     "certificate",
                                                     "private_key"};

constexpr std::uint64_t kMaxPorts = 1000;
constexpr std::uint64_t kMaxConnections = 1024;
constexpr std::uint64_t kMinFrameBytes = 1024;
constexpr std::uint64_t kMaxFrameBytes = std::uint64_t{256} << 20;
// What the sink's own library sends at most.
constexpr std::uint64_t kDefaultFrameBytes = 16'384'000;

bool IsAddress(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address;
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

absl::Status CheckTogether(const OptionReader& options, const FlumeSettings& settings) {
  if (!IsAddress(settings.bind)) {
    return options.Bad("bind", "must be an address of the machine (0.0.0.0 or :: for all of them), not '",
                       settings.bind, "'; a name is not taken, since it need not mean the same on each machine");
  }
  if (settings.port + settings.ports - 1 > 65'535) {
    return options.Bad("ports", "is too large: ", settings.ports, " ports from ", settings.port, " on end past 65535");
  }
  if (settings.receivers > settings.ports) {
    return options.Bad("receivers", "is ", settings.receivers, ", but there are only ", settings.ports,
                       " ports, and all receivers may come to one machine; raise option ports");
  }
  if (settings.certificate.empty() != settings.private_key.empty()) {
    return options.Bad(settings.certificate.empty() ? "certificate" : "private_key",
                       "is missing: TLS needs certificate and private_key, both as paths of PEM files");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FlumeSettings> ReadFlumeSettings(const engine::OperatorDescription& description) {
  OptionReader options("source", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  FlumeSettings settings;
  settings.where = options.where();
  settings.bind = options.Text("bind", settings.bind);
  MR_RETURN_IF_ERROR(options.Required("port").status());
  MR_ASSIGN_OR_RETURN(const std::uint64_t port, options.Number("port", 0, 1, 65'535));
  MR_ASSIGN_OR_RETURN(const std::uint64_t receivers, options.Number("receivers", 1, 1, kMaxPorts));
  MR_ASSIGN_OR_RETURN(const std::uint64_t ports, options.Number("ports", receivers, 1, kMaxPorts));
  MR_ASSIGN_OR_RETURN(const std::uint64_t connections, options.Number("max_connections", 64, 1, kMaxConnections));
  MR_ASSIGN_OR_RETURN(const std::uint64_t frame,
                      options.Number("max_frame_bytes", kDefaultFrameBytes, kMinFrameBytes, kMaxFrameBytes));
  MR_ASSIGN_OR_RETURN(const std::uint64_t events, options.Number("max_batch_events", 100'000, 1, 1'000'000));
  settings.port = static_cast<std::uint16_t>(port);
  settings.ports = static_cast<std::uint16_t>(ports);
  settings.receivers = static_cast<std::uint32_t>(receivers);
  settings.max_connections = static_cast<std::uint32_t>(connections);
  settings.max_frame_bytes = static_cast<std::uint32_t>(frame);
  settings.max_batch_events = static_cast<std::uint32_t>(events);
  settings.id_header = options.Text("id_header", "");
  settings.key_header = options.Text("key_header", "");
  settings.certificate = options.Text("certificate", "");
  settings.private_key = options.Text("private_key", "");
  MR_RETURN_IF_ERROR(CheckTogether(options, settings));
  return settings;
}

}  // namespace millrace
