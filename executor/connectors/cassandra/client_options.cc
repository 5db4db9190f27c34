#include "executor/connectors/cassandra/client_options.h"

#include <algorithm>

#include "common/status.h"

namespace millrace::cassandra {
namespace {

constexpr std::array<std::string_view, 9> kConsistencies = {"LOCAL_QUORUM", "ANY", "ONE",         "TWO",      "THREE",
                                                            "QUORUM",       "ALL", "EACH_QUORUM", "LOCAL_ONE"};
constexpr std::array<Consistency, 9> kConsistencyValues = {
    Consistency::kLocalQuorum, Consistency::kAny, Consistency::kOne,        Consistency::kTwo,     Consistency::kThree,
    Consistency::kQuorum,      Consistency::kAll, Consistency::kEachQuorum, Consistency::kLocalOne};

absl::Status ReadSecurity(const OptionReader& options, ClientOptions& out) {
  out.username = options.Text("username", "");
  out.password_file = options.Text("password_file", "");
  if (out.username.empty() != out.password_file.empty()) {
    return options.Bad(out.username.empty() ? "username" : "password_file",
                       "is missing; username and password_file need each other");
  }
  MR_ASSIGN_OR_RETURN(out.tls, options.Bool("tls", false));
  out.tls_options.ca_file = options.Text("tls_ca_file", "");
  out.tls_options.certificate_file = options.Text("tls_cert_file", "");
  out.tls_options.key_file = options.Text("tls_key_file", "");
  out.tls_options.server_name = options.Text("tls_server_name", "");
  if (out.tls_options.certificate_file.empty() != out.tls_options.key_file.empty()) {
    return options.Bad(out.tls_options.certificate_file.empty() ? "tls_cert_file" : "tls_key_file",
                       "is missing; tls_cert_file and tls_key_file need each other");
  }
  if (!out.tls && !(out.tls_options.ca_file.empty() && out.tls_options.certificate_file.empty() &&
                    out.tls_options.server_name.empty())) {
    return options.Bad("tls", "is false, but other tls options are set; set it to true, or leave them out");
  }
  return absl::OkStatus();
}

absl::Status ReadNumbers(const OptionReader& options, ClientOptions& out) {
  MR_ASSIGN_OR_RETURN(const std::uint64_t in_flight, options.Number("max_in_flight", 256, 1, 2048));
  out.max_in_flight = static_cast<std::uint32_t>(in_flight);
  MR_ASSIGN_OR_RETURN(const std::uint64_t connect_ms, options.Number("connect_timeout_ms", 5'000, 100, 60'000));
  out.connect_timeout = std::chrono::milliseconds(connect_ms);
  MR_ASSIGN_OR_RETURN(const std::uint64_t request_ms, options.Number("request_timeout_ms", 12'000, 100, 300'000));
  out.request_timeout = std::chrono::milliseconds(request_ms);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadClientOptions(const OptionReader& options, ClientOptions& out) {
  MR_ASSIGN_OR_RETURN(const std::string points, options.Required("contact_points"));
  MR_ASSIGN_OR_RETURN(const std::uint64_t port, options.Number("port", 9042, 1, 65'535));
  auto parsed = net::ParseEndpoints(points, static_cast<std::uint16_t>(port));
  if (!parsed.ok()) return options.Bad("contact_points", Message(parsed.status()));
  out.contact_points = *std::move(parsed);
  MR_ASSIGN_OR_RETURN(const std::string consistency, options.Choice("consistency", kConsistencies));
  out.consistency = kConsistencyValues[static_cast<std::size_t>(
      std::find(kConsistencies.begin(), kConsistencies.end(), consistency) - kConsistencies.begin())];
  MR_RETURN_IF_ERROR(ReadSecurity(options, out));
  MR_RETURN_IF_ERROR(ReadNumbers(options, out));
  out.local_datacenter = options.Text("local_datacenter", "");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadColumnNames(const OptionReader& options, std::string_view option) {
  MR_ASSIGN_OR_RETURN(const std::string text, options.Required(option));
  std::vector<std::string> names = SplitAtCommas(text);
  for (auto at = names.begin(); at != names.end(); ++at) {
    if (at->empty()) return options.Bad(option, "has an empty name in '", text, "'");
    if (std::find(names.begin(), at, *at) != at) return options.Bad(option, "names '", *at, "' twice");
  }
  return names;
}

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

}  // namespace millrace::cassandra
