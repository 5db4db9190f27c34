// One connection to a RabbitMQ server, logged in, with channel 1 open. Heartbeats are sent and awaited in NextFrame,
// which must therefore be called at least every few hundred milliseconds, whatever else there is to do.
//
//   MR_ASSIGN_OR_RETURN(auto connection, Connection::Open(options, "millrace orders"));
//   connection->Await(wake_fd, 200);
//   MR_ASSIGN_OR_RETURN(bool got, connection->NextFrame(frame));
//
// One thread. Frames live until Release. Errors: PermissionDenied (user, password, certificate), NotFound (virtual
// host), else Unavailable; after any error the connection is only good for destruction, which is bounded.
#pragma once

#include <amqp.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "executor/connectors/rabbitmq/connection_options.h"

namespace millrace::rabbitmq {

inline constexpr amqp_channel_t kChannel = 1;

class Connection {
 public:
  // Tries the hosts in turn. `name` is what the server's own tools show.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const ConnectionOptions& options, const std::string& name);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // What has arrived, without waiting; false: nothing. A close of channel or connection is an error.
  absl::StatusOr<bool> NextFrame(amqp_frame_t& frame);
  void Release() { amqp_maybe_release_buffers_on_channel(state_, kChannel); }
  // Waits until something has arrived, `wake_fd` (unless -1) is readable, or the time is over.
  void Await(int wake_fd, int timeout_ms) const;

  absl::Status Check(std::string_view what, int library_status);
  // The answer to the last synchronous call.
  absl::Status CheckReply(std::string_view what);

  amqp_connection_state_t state() const { return state_; }
  const std::string& server() const { return server_; }  // "rabbitmq at host:port"
  // Why the server takes nothing now (memory, disk); empty when it does.
  const std::string& blocked() const { return blocked_; }

 private:
  Connection(amqp_connection_state_t state, std::string server) : state_(state), server_(std::move(server)) {}
  static absl::StatusOr<std::unique_ptr<Connection>> OpenOne(const ConnectionOptions& options, const Endpoint& endpoint,
                                                             const std::string& name);
  absl::Status Dial(const ConnectionOptions& options, const Endpoint& endpoint);
  absl::Status Login(const ConnectionOptions& options, const std::string& name);
  absl::Status LoginFailed(const ConnectionOptions& options, const amqp_rpc_reply_t& reply);
  bool TakeNotice(const amqp_frame_t& frame);

  const amqp_connection_state_t state_;
  const std::string server_;
  std::string blocked_;
  bool logged_in_ = false;
  bool broken_ = false;
};

}  // namespace millrace::rabbitmq
