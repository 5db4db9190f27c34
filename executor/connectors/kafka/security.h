// TLS and SASL of a Kafka client, out of the options tls, ca, certificate, private_key, sasl, username, password_file.
//
//   MR_RETURN_IF_ERROR(kafka::SetSecurity(options, config));
//
// The password is read from its file into librdkafka's configuration and is nowhere else: it is no option, since
// options are stored and shown. Properties of librdkafka that would carry a secret are refused by name, and their
// values are never repeated.
//
// Any thread. InvalidArgument names the operator, the option, the file and the remedy.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/kafka/config.h"
#include "executor/connectors/kafka/fetch/broker_security.h"
#include "executor/connectors/options.h"

namespace millrace::kafka {

absl::Status SetSecurity(const OptionReader& reader, Config& config);
// The same for what is fetched past librdkafka, after SetSecurity has found nothing wrong.
absl::StatusOr<BrokerSecurity> ReadBrokerSecurity(const OptionReader& reader);

// Why "rdkafka.<name>" may not be given, since it belongs here; empty: it may. `secret` is set when its value is not to
// be repeated.
std::string_view RefusedSecurityProperty(std::string_view name, bool& secret);

}  // namespace millrace::kafka
