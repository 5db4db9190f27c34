// One connection to one node: the handshake with authentication, then many requests in flight, told apart by stream
// ids. Nothing is sent twice by itself.
//
//   MR_ASSIGN_OR_RETURN(auto connection, Connection::Open(endpoint, client, deadline));
//   MR_ASSIGN_OR_RETURN(Frame answer, connection->Call(Opcode::kQuery, body, deadline));   // one, waited for
//   connection->Send(Opcode::kExecute, body, tag);  connection->Step(answers);             // many
//
// Thread rule: one thread at a time; no thread of its own, so an idle connection notices its end when it is used next.
// Errors: from the first one on the connection is dead and what was in flight has an unknown outcome.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/frame.h"
#include "executor/connectors/cassandra/options.h"
#include "executor/connectors/cassandra/server_error.h"
#include "executor/connectors/net/channel.h"

namespace millrace::cassandra {

using net::Channel;
using net::Deadline;
using net::TlsContext;

struct Answer {
  std::uint64_t tag = 0;
  Frame frame;
};

class Connection {
 public:
  // Connects, and is ready for requests when it returns. PermissionDenied for a wrong password or certificate.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Endpoint& endpoint, const ClientOptions& options,
                                                          const TlsContext* tls, Deadline deadline);

  // Sends one request and waits for its answer. No other may be in flight. An ERROR frame is given as it is.
  absl::StatusOr<Frame> Call(Opcode opcode, std::string_view body, Deadline deadline);

  bool has_room() const { return !free_streams_.empty() && unsent_.size() - sent_ < kMaxUnsentBytes; }
  std::size_t in_flight() const { return in_flight_; }
  bool wants_write() const { return sent_ < unsent_.size(); }
  // Only while has_room().
  void Send(Opcode opcode, std::string_view body, std::uint64_t tag);
  // Sends and receives what goes without waiting; appends the answers. Unavailable when nothing has come for longer
  // than the request timeout while requests are in flight: the other side is half open, or the node hangs.
  absl::Status Step(std::vector<Answer>& answers);

  int fd() const { return channel_->fd(); }
  const std::string& name() const { return channel_->name(); }

 private:
  static constexpr std::size_t kMaxUnsentBytes = 1 << 20;
  static constexpr std::size_t kMaxStreams = 2048;

  Connection(std::unique_ptr<Channel> channel, std::chrono::milliseconds request_timeout);
  absl::Status Start(const ClientOptions& options, Deadline deadline);
  absl::Status Authenticate(std::string_view authenticator, const ClientOptions& options, Deadline deadline);
  absl::Status Receive(std::vector<Answer>& answers);

  const std::unique_ptr<Channel> channel_;
  const std::chrono::milliseconds request_timeout_;
  FrameCutter cutter_;
  std::string unsent_;
  std::size_t sent_ = 0;  // of unsent_
  std::vector<std::int16_t> free_streams_;
  std::vector<std::uint64_t> tags_;  // by stream id
  std::vector<bool> used_;           // by stream id
  std::size_t in_flight_ = 0;
  bool heard_ = false;  // an answer has come
  std::chrono::steady_clock::time_point last_progress_;
};

}  // namespace millrace::cassandra
