#include "executor/connectors/kafka/security.h"

#include <algorithm>
#include <array>
#include <string>

#include "common/io/file.h"
#include "common/status.h"

namespace millrace::kafka {
namespace {

constexpr std::array<std::string_view, 4> kMechanisms = {"none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
constexpr std::uint64_t kMaxPasswordFile = 64 * 1024;
constexpr std::uint64_t kMaxPemFile = 4 << 20;

struct Owned {
  std::string_view name;
  std::string_view why;
  bool secret;
};
constexpr std::string_view kPasswordFile = "use the option password_file; what is written here is stored with the job";
constexpr std::string_view kKeyFile = "use the option private_key, a file; what is written here is stored with the job";
constexpr std::array<Owned, 17> kOwned = {{
    {"security.protocol", "use the options tls and sasl", false},
    {"sasl.mechanism", "use the option sasl", false},
    {"sasl.mechanisms", "use the option sasl", false},
    {"sasl.username", "use the option username", false},
    {"sasl.password", kPasswordFile, true},
    {"ssl.ca.location", "use the option ca", false},
    {"ssl.ca.pem", "use the option ca, a file", true},
    {"ssl.certificate.location", "use the option certificate", false},
    {"ssl.certificate.pem", "use the option certificate, a file", true},
    {"ssl.key.location", "use the option private_key", false},
    {"ssl.key.pem", kKeyFile, true},
    {"ssl.key.password", kKeyFile, true},
    {"ssl.keystore.location", "use the options certificate and private_key", false},
    {"ssl.keystore.password", kKeyFile, true},
    {"sasl.oauthbearer.config", "OAUTHBEARER is not supported; use the option sasl", true},
    {"sasl.oauthbearer.client.secret", "OAUTHBEARER is not supported; use the option sasl", true},
    {"enable.ssl.certificate.verification",
     "a broker that nobody vouches for could read and change everything; use the option ca", false},
}};

absl::StatusOr<std::string> ReadPassword(const OptionReader& reader, const std::string& path) {
  auto text = ReadFile(path, kMaxPasswordFile);
  if (!text.ok()) return reader.Bad("password_file", "cannot be read on this machine: ", Message(text.status()));
  std::string password = text->substr(0, text->find('\n'));
  if (password.ends_with('\r')) password.pop_back();
  if (password.empty()) return reader.Bad("password_file", "names ", path, ", whose first line is empty");
  return password;
}

// librdkafka says of a file that is missing only that its own setup failed.
absl::Status SetFile(const OptionReader& reader, std::string_view option, const char* property, Config& config) {
  const std::string path = reader.Text(option, "");
  if (path.empty()) return absl::OkStatus();
  if (auto text = ReadFile(path, kMaxPemFile); !text.ok()) {
    return reader.Bad(option, "cannot be read on this machine: ", Message(text.status()));
  } else if (text->find("-----BEGIN ") == std::string::npos) {
    return reader.Bad(option, "names ", path, ", which is no PEM file");
  }
  return config.Set(property, path);
}

absl::Status SetTls(const OptionReader& reader, bool tls, Config& config) {
  const bool certificate = !reader.Text("certificate", "").empty(), key = !reader.Text("private_key", "").empty();
  if (!tls) {
    for (const std::string_view option : {"ca", "certificate", "private_key"}) {
      if (!reader.Text(option, "").empty()) return reader.Bad(option, "is given, but the option tls is not true");
    }
    return absl::OkStatus();
  }
  if (certificate != key) {
    return reader.Bad(certificate ? "private_key" : "certificate",
                      "is missing: certificate and private_key go together");
  }
  MR_RETURN_IF_ERROR(SetFile(reader, "ca", "ssl.ca.location", config));
  MR_RETURN_IF_ERROR(SetFile(reader, "certificate", "ssl.certificate.location", config));
  return SetFile(reader, "private_key", "ssl.key.location", config);
}

absl::Status SetSasl(const OptionReader& reader, bool tls, const std::string& mechanism, Config& config) {
  if (mechanism == "none") {
    for (const std::string_view option : {"username", "password_file"}) {
      if (!reader.Text(option, "").empty())
        return reader.Bad(option, "is given, but the option sasl is not: it is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
    }
    return absl::OkStatus();
  }
  if (mechanism == "PLAIN" && !tls) {
    return reader.Bad("sasl", "is PLAIN, which sends the password as it is; set tls, or use SCRAM-SHA-256");
  }
  MR_ASSIGN_OR_RETURN(const std::string username, reader.Required("username"));
  MR_ASSIGN_OR_RETURN(const std::string file, reader.Required("password_file"));
  MR_ASSIGN_OR_RETURN(const std::string password, ReadPassword(reader, file));
  MR_RETURN_IF_ERROR(config.Set("sasl.mechanism", mechanism));
  MR_RETURN_IF_ERROR(config.Set("sasl.username", username));
  return config.Set("sasl.password", password);
}

}  // namespace

absl::Status SetSecurity(const OptionReader& reader, Config& config) {
  MR_ASSIGN_OR_RETURN(const bool tls, reader.Bool("tls", false));
  MR_ASSIGN_OR_RETURN(const std::string mechanism, reader.Choice("sasl", kMechanisms));
  const bool sasl = mechanism != "none";
  MR_RETURN_IF_ERROR(SetTls(reader, tls, config));
  MR_RETURN_IF_ERROR(SetSasl(reader, tls, mechanism, config));
  return config.Set("security.protocol", tls ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext"));
}

absl::StatusOr<BrokerSecurity> ReadBrokerSecurity(const OptionReader& reader) {
  BrokerSecurity security;
  MR_ASSIGN_OR_RETURN(const bool tls, reader.Bool("tls", false));
  if (tls) {
    net::TlsOptions options = {.names = {"ca", "certificate", "private_key", "brokers"}};
    options.ca_file = reader.Text("ca", "");
    options.certificate_file = reader.Text("certificate", "");
    options.key_file = reader.Text("private_key", "");
    MR_ASSIGN_OR_RETURN(security.tls, net::TlsContext::Make("kafka", options));
  }
  MR_ASSIGN_OR_RETURN(const std::string mechanism, reader.Choice("sasl", kMechanisms));
  if (mechanism == "none") return security;
  security.sasl = mechanism == "PLAIN"           ? SaslMechanism::kPlain
                  : mechanism == "SCRAM-SHA-256" ? SaslMechanism::kScramSha256
                                                 : SaslMechanism::kScramSha512;
  MR_ASSIGN_OR_RETURN(security.username, reader.Required("username"));
  MR_ASSIGN_OR_RETURN(const std::string file, reader.Required("password_file"));
  MR_ASSIGN_OR_RETURN(security.password, ReadPassword(reader, file));
  return security;
}

std::string_view RefusedSecurityProperty(std::string_view name, bool& secret) {
  const auto found = std::find_if(kOwned.begin(), kOwned.end(), [&](const Owned& owned) { return owned.name == name; });
  if (found == kOwned.end()) return {};
  secret = found->secret;
  return found->why;
}

}  // namespace millrace::kafka
