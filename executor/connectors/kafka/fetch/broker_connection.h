// A connection to one broker, for one request at a time; with TLS and a login where the broker wants them.
//
//   MR_ASSIGN_OR_RETURN(auto connection, BrokerConnection::Open(broker, settings, security, stop_fd));
//   MR_ASSIGN_OR_RETURN(Answer answer, connection->Call(request, correlation, std::chrono::seconds(30)));
//
// Waits end early when `stop_fd` becomes readable. One thread. Errors: Unavailable for what the network does, with
// server and cause; Cancelled when stopping; FailedPrecondition for a broker that is too old; PermissionDenied for one
// that is not trusted, or does not let us in.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/kafka/fetch/broker_security.h"
#include "executor/connectors/kafka/fetch/fetch_protocol.h"
#include "executor/connectors/net/channel.h"

namespace millrace::kafka {

struct BrokerAddress {
  std::string host;
  int port = 0;
  std::string Name() const;
  auto operator<=>(const BrokerAddress&) const = default;
};

// What was received, and who owns it.
struct Answer {
  Buffer buffer;
  std::string_view body;  // behind the correlation id
};

class BrokerConnection {
 public:
  static absl::StatusOr<std::unique_ptr<BrokerConnection>> Open(const BrokerAddress& broker,
                                                                const FetchSettings& settings,
                                                                const BrokerSecurity& security, int stop_fd);
  BrokerConnection(const BrokerConnection&) = delete;
  BrokerConnection& operator=(const BrokerConnection&) = delete;

  absl::StatusOr<Answer> Call(std::string_view request, std::int32_t correlation, std::chrono::milliseconds patience);

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  BrokerConnection(std::unique_ptr<net::Channel> channel, std::string name, int stop_fd)
      : channel_(std::move(channel)), name_(std::move(name)), stop_fd_(stop_fd) {}
  absl::Status CheckVersion(const FetchSettings& settings);
  absl::Status LogIn(const FetchSettings& settings, const BrokerSecurity& security);
  absl::StatusOr<std::string> SaslStep(const FetchSettings& settings, std::string_view bytes);
  absl::Status Await(short events, Deadline deadline) const;
  absl::Status SendAll(std::string_view bytes, Deadline deadline);
  absl::Status ReceiveAll(char* to, std::size_t size, Deadline deadline);

  const std::unique_ptr<net::Channel> channel_;
  const std::string name_;
  const int stop_fd_;
};

}  // namespace millrace::kafka
