// Every record that sockets receive, once, a line each in files; in batches so long that records wait in the receiver.
#include <millrace/millrace.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    words.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return words;
}

millrace::SocketFraming FramingOf(std::string_view name) {
  if (name == "zero") return millrace::SocketFraming::Delimiter('\0');
  if (name.starts_with("length")) return millrace::SocketFraming::LengthPrefixed(static_cast<unsigned>(name[6] - '0'));
  return millrace::SocketFraming::Newline();
}

}  // namespace

MILLRACE_JOB(received_lines, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", std::chrono::seconds(3)));
  millrace::SocketOptions options;
  options.port = ctx.Arg("port", std::uint16_t{0});
  options.hosts = SplitAtCommas(ctx.Arg("hosts", ""));
  if (options.hosts.empty()) options.host = "127.0.0.1";
  options.framing = FramingOf(ctx.Arg("framing", "newline"));  // newline, zero, length1, length2, length4
  options.max_record_bytes = ctx.Arg("max_record_bytes", options.max_record_bytes);
  if (ctx.Arg("drop", false)) options.too_long = millrace::SocketTooLong::kDrop;
  options.reliable = ctx.Arg("reliable", false);
  options.tls = ctx.Arg("tls", false);
  options.ca_file = ctx.Arg("ca_file", "");
  options.certificate_file = ctx.Arg("certificate_file", "");
  options.key_file = ctx.Arg("key_file", "");
  options.server_name = ctx.Arg("server_name", "");
  using Ms = std::chrono::milliseconds;
  options.keepalive = std::chrono::duration_cast<Ms>(ctx.Arg("keepalive", options.keepalive));
  options.idle_timeout = std::chrono::duration_cast<Ms>(ctx.Arg("idle_timeout", options.idle_timeout));
  ctx.SocketText(options)
      .Map([](std::string_view record) { return std::string(record); })
      .ToFiles({.directory = ctx.Arg("output")});
}
