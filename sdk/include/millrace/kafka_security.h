// How a job proves itself to Kafka's brokers, and they to it: for KafkaOptions and KafkaSinkOptions.
//
//   {.brokers = "k1:9093", .topics = {"clicks"},
//    .security = {.tls = true, .ca = "/etc/millrace/kafka-ca.pem", .sasl = KafkaSasl::kScramSha256,
//                 .username = "clicks", .password_file = "/etc/millrace/kafka-password"}}
//
// Files are paths on the executors' machines, read when the job starts there. The password itself is never an option:
// options are stored with the job and shown to whoever may see it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/engine.h"

namespace millrace {

enum class KafkaSasl : std::uint8_t { kNone, kPlain, kScramSha256, kScramSha512 };

struct KafkaSecurity {
  bool tls = false;
  std::string ca = {};           // PEM, who signs the brokers' certificates; empty: whom the machine trusts
  std::string certificate = {};  // PEM, ours, where brokers ask for one; with its private_key
  std::string private_key = {};
  KafkaSasl sasl = KafkaSasl::kNone;  // kPlain needs tls: it sends the password as it is
  std::string username = {};
  std::string password_file = {};  // its first line is the password
};

namespace detail {

inline std::string_view SaslText(KafkaSasl sasl) {
  switch (sasl) {
    case KafkaSasl::kNone:
      return "none";
    case KafkaSasl::kPlain:
      return "PLAIN";
    case KafkaSasl::kScramSha256:
      return "SCRAM-SHA-256";
    case KafkaSasl::kScramSha512:
      return "SCRAM-SHA-512";
  }
  return "none";
}

inline void AddToMap(const KafkaSecurity& security, engine::Options& map) {
  const auto add = [&map](const char* name, const std::string& value) {
    if (!value.empty()) map[name] = value;
  };
  if (security.tls) map["tls"] = "true";
  if (security.sasl != KafkaSasl::kNone) map["sasl"] = std::string(SaslText(security.sasl));
  add("ca", security.ca);
  add("certificate", security.certificate);
  add("private_key", security.private_key);
  add("username", security.username);
  add("password_file", security.password_file);
}

}  // namespace detail
}  // namespace millrace
