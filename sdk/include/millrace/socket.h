// Records from TCP servers: the options of JobContext::SocketText.
//
//   auto lines = ctx.SocketText({.host = "gateway", .port = 9999});
//   auto frames = ctx.SocketText({.hosts = {"gate-1:9999", "gate-2:9999"},
//                                 .framing = SocketFraming::LengthPrefixed(4),
//                                 .reliable = true,
//                                 .tls = true,
//                                 .ca_file = "/etc/millrace/gateways.pem"});
//
// The job connects to each server, once, and takes what it sends. TCP acknowledges nothing to the sender's program and
// sends nothing again, so what is on its way when either side ends is lost, whatever is set here. With `reliable` all
// that was stored is safe; docs/connectors/socket.md says what holds.
//
// Plain data, copied into the graph. Files are read on the executors, at each connection. A value that must be there
// and is not is refused where the source is added; the rest is checked when the job is submitted.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "millrace/engine.h"

namespace millrace {

// How records stand in the stream of bytes.
class SocketFraming {
 public:
  // Each ends with '\n'; a '\r' before it is taken off.
  static SocketFraming Newline() { return SocketFraming("newline"); }
  // Each ends with this byte, which is no part of it.
  static SocketFraming Delimiter(char byte) {
    return SocketFraming("delimiter:" + std::to_string(static_cast<unsigned char>(byte)));
  }
  // Before each stands its length without the prefix, a big-endian number of 1, 2 or 4 bytes.
  static SocketFraming LengthPrefixed(unsigned bytes) {
    if (bytes != 1 && bytes != 2 && bytes != 4)
      throw std::invalid_argument("SocketFraming::LengthPrefixed(" + std::to_string(bytes) + "): pass 1, 2 or 4");
    return SocketFraming("length:" + std::to_string(bytes));
  }

  SocketFraming() : SocketFraming("newline") {}
  const std::string& text() const { return text_; }

 private:
  explicit SocketFraming(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// What becomes of a record above max_record_bytes. Either is counted in the job's status.
enum class SocketTooLong { kCut, kDrop };

struct SocketOptions {
  std::string host = {};  // one server, with port
  std::uint16_t port = 0;
  std::vector<std::string> hosts = {};  // or several, each "host:port" and a split of its own
  SocketFraming framing = {};
  std::uint64_t max_record_bytes = 1 << 20;  // at most 16 MiB
  SocketTooLong too_long = SocketTooLong::kCut;
  // Records are on stable storage before a batch takes them, and survive the runner that read them.
  bool reliable = false;
  bool tls = false;
  std::string ca_file = {};           // whom to trust, PEM; empty: whom the machine trusts
  std::string certificate_file = {};  // ours, if the server wants one, with key_file
  std::string key_file = {};
  std::string server_name = {};  // what the servers' certificates are made for; empty: each one's host
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
  std::chrono::milliseconds keepalive = std::chrono::seconds(30);  // of silence, then TCP asks the peer; 0: never
  std::chrono::milliseconds idle_timeout{0};  // a server silent for so long is given up and called again; 0: never
};

namespace detail {

// "host:port", an IPv6 address in brackets.
inline std::string ServerName(const std::string& host, std::uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

inline engine::Options ToMap(const SocketOptions& options) {
  std::string hosts = options.hosts.empty() ? ServerName(options.host, options.port) : std::string();
  for (const std::string& host : options.hosts) {
    if (!hosts.empty()) hosts += ',';
    hosts += host;
  }
  engine::Options map = {{"hosts", hosts},
                         {"framing", options.framing.text()},
                         {"max_record_bytes", std::to_string(options.max_record_bytes)},
                         {"too_long", options.too_long == SocketTooLong::kCut ? "cut" : "drop"},
                         {"reliable", options.reliable ? "true" : "false"},
                         {"tls", options.tls ? "true" : "false"},
                         {"connect_timeout_ms", std::to_string(options.connect_timeout.count())},
                         {"keepalive_ms", std::to_string(options.keepalive.count())},
                         {"idle_timeout_ms", std::to_string(options.idle_timeout.count())}};
  if (!options.ca_file.empty()) map["ca_file"] = options.ca_file;
  if (!options.certificate_file.empty()) map["certificate_file"] = options.certificate_file;
  if (!options.key_file.empty()) map["key_file"] = options.key_file;
  if (!options.server_name.empty()) map["server_name"] = options.server_name;
  return map;
}

}  // namespace detail
}  // namespace millrace
