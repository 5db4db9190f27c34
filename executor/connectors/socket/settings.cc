#include "executor/connectors/socket/settings.h"

#include <array>
#include <set>
#include <string>

#include "common/status.h"
#include "executor/connectors/options.h"

namespace millrace::sockets {
namespace {

constexpr std::array<std::string_view, 13> kNames = {
    "hosts",          "framing",          "max_record_bytes", "too_long",    "reliable",           "tls",
    "ca_file",        "certificate_file", "key_file",         "server_name", "connect_timeout_ms", "keepalive_ms",
    "idle_timeout_ms"};
constexpr std::array<std::string_view, 2> kTooLong = {"cut", "drop"};
constexpr std::uint64_t kMaxRecordBytes = 16ULL << 20;
constexpr std::uint64_t kMaxHosts = 1000;  // each has a connection and a thread
constexpr std::uint64_t kHourMs = 3'600'000;
constexpr std::uint64_t kDayMs = 24 * kHourMs;

absl::Status ReadHosts(const OptionReader& options, Settings& settings) {
  MR_ASSIGN_OR_RETURN(const std::string text, options.Required("hosts"));
  auto hosts = net::ParseEndpoints(text, 0);
  if (!hosts.ok()) return options.Bad("hosts", Message(hosts.status()));
  if (hosts->size() > kMaxHosts) return options.Bad("hosts", "names ", hosts->size(), " servers; at most ", kMaxHosts);
  std::set<std::string> seen;
  for (const net::Endpoint& host : *hosts) {
    if (!seen.insert(host.Name()).second) {
      return options.Bad("hosts", "names ", host.Name(), " twice; a server is called once");
    }
  }
  settings.hosts = *std::move(hosts);
  return absl::OkStatus();
}

// "newline", "delimiter:0" (the byte as a number), "length:4".
absl::Status ReadFraming(const OptionReader& options, Framing& framing) {
  const std::string text = options.Text("framing", "newline");
  const std::size_t colon = text.find(':');
  const std::string_view kind = std::string_view(text).substr(0, colon);
  std::uint64_t number = 0;
  const bool has_number = colon != std::string::npos && ParseNumber(std::string_view(text).substr(colon + 1), number);
  if (text == "newline") {
    framing.kind = Framing::Kind::kNewline;
  } else if (kind == "delimiter" && has_number && number <= 255) {
    framing.kind = Framing::Kind::kDelimiter;
    framing.delimiter = static_cast<char>(number);
  } else if (kind == "length" && has_number && (number == 1 || number == 2 || number == 4)) {
    framing.kind = Framing::Kind::kLength;
    framing.length_bytes = static_cast<unsigned>(number);
  } else {
    return options.Bad("framing",
                       "must be newline, delimiter:BYTE with a byte from 0 to 255, or length:1, length:2 or ",
                       "length:4, not '", text, "'");
  }
  MR_ASSIGN_OR_RETURN(framing.max_bytes, options.Number("max_record_bytes", 1 << 20, 1, kMaxRecordBytes));
  MR_ASSIGN_OR_RETURN(const std::string too_long, options.Choice("too_long", kTooLong));
  framing.drop_too_long = std::string_view(too_long) == "drop";
  return absl::OkStatus();
}

absl::Status ReadTls(const OptionReader& options, Settings& settings) {
  MR_ASSIGN_OR_RETURN(settings.tls, options.Bool("tls", false));
  net::TlsOptions& tls = settings.tls_options;
  tls.ca_file = options.Text("ca_file", "");
  tls.certificate_file = options.Text("certificate_file", "");
  tls.key_file = options.Text("key_file", "");
  tls.server_name = options.Text("server_name", "");
  if (tls.certificate_file.empty() != tls.key_file.empty()) {
    return options.Bad(tls.key_file.empty() ? "key_file" : "certificate_file",
                       "is missing: a certificate and its key belong together");
  }
  if (settings.tls) return absl::OkStatus();
  for (const std::string_view name : {"ca_file", "certificate_file", "server_name"}) {
    if (const std::string value = options.Text(name, ""); !value.empty()) {
      return options.Bad(name, "has the value '", value, "', but tls is false; set tls = true");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadTimes(const OptionReader& options, Settings& settings) {
  MR_ASSIGN_OR_RETURN(const auto connect, options.Number("connect_timeout_ms", 5'000, 100, 120'000));
  MR_ASSIGN_OR_RETURN(const auto keepalive, options.Number("keepalive_ms", 30'000, 0, kHourMs));
  MR_ASSIGN_OR_RETURN(const auto idle, options.Number("idle_timeout_ms", 0, 0, kDayMs));
  if (keepalive > 0 && keepalive < 1'000) {
    return options.Bad("keepalive_ms", "is ", keepalive, "; TCP counts in seconds: pass 1000 or more, or 0 for none");
  }
  settings.connect_timeout = std::chrono::milliseconds(connect);
  settings.keepalive = std::chrono::milliseconds(keepalive);
  settings.idle_timeout = std::chrono::milliseconds(idle);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Settings> ReadSettings(const engine::OperatorDescription& description) {
  OptionReader options("source", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  Settings settings;
  MR_RETURN_IF_ERROR(ReadHosts(options, settings));
  MR_RETURN_IF_ERROR(ReadFraming(options, settings.framing));
  MR_RETURN_IF_ERROR(ReadTls(options, settings));
  MR_RETURN_IF_ERROR(ReadTimes(options, settings));
  MR_ASSIGN_OR_RETURN(settings.reliable, options.Bool("reliable", false));
  return settings;
}

}  // namespace millrace::sockets
