#include "executor/connectors/rabbitmq/connection.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <poll.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>

#include "common/status.h"
#include "executor/connectors/rabbitmq/amqp_text.h"
#include "executor/connectors/rabbitmq/dial.h"
#include "executor/connectors/rabbitmq/errors.h"
#include "executor/connectors/rabbitmq/tls_socket.h"

namespace millrace::rabbitmq {
namespace {

constexpr int kRpcTimeoutMs = 10'000;
constexpr int kGoodbyeMs = 1'000;
constexpr int kFrameBytes = 131'072;
constexpr std::size_t kMaxPassword = 4'096;

timeval Time(int ms) { return {ms / 1'000, (ms % 1'000) * 1'000}; }

amqp_table_entry_t TextEntry(const char* key, std::string_view text) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = Bytes(text);
  return entry;
}
amqp_table_entry_t CanDo(const char* key) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = 1;
  return entry;
}

absl::StatusOr<std::string> ReadPassword(const ConnectionOptions& options) {
  if (options.password_file.empty()) return std::string("guest");
  errno = 0;
  std::ifstream file(options.password_file);
  if (!file) return ErrnoStatus(errno, Concat("rabbitmq: reading password_file ", options.password_file));
  std::string password(kMaxPassword, '\0');
  file.read(password.data(), static_cast<std::streamsize>(password.size()));
  password.resize(static_cast<std::size_t>(file.gcount()));
  while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
  if (password.empty() || password.find('\0') != std::string::npos) {
    return InvalidArgument("rabbitmq: password_file ", options.password_file, " holds no password; it is one line");
  }
  return password;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const ConnectionOptions& options,
                                                             const std::string& name) {
  absl::Status all;
  for (const Endpoint& endpoint : options.hosts) {
    auto one = OpenOne(options, endpoint, name);
    if (one.ok()) return one;
    all = all.ok() ? one.status() : Annotate(one.status(), Message(all));
  }
  return all;
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::OpenOne(const ConnectionOptions& options,
                                                                const Endpoint& endpoint, const std::string& name) {
  amqp_connection_state_t state = amqp_new_connection();
  if (state == nullptr) return ResourceExhausted("rabbitmq: no memory for a connection");
  std::unique_ptr<Connection> connection(new Connection(state, Concat("rabbitmq at ", endpoint.text())));
  MR_RETURN_IF_ERROR(connection->Dial(options, endpoint));
  MR_RETURN_IF_ERROR(connection->Login(options, name));
  amqp_channel_open(state, kChannel);
  MR_RETURN_IF_ERROR(connection->CheckReply("opening a channel"));
  return connection;
}

absl::Status Connection::Dial(const ConnectionOptions& options, const Endpoint& endpoint) {
  amqp_socket_t* socket = nullptr;
  if (options.tls) {
    MR_ASSIGN_OR_RETURN(socket, NewTlsSocket(state_, options, endpoint));
  } else {
    socket = amqp_tcp_socket_new(state_);
    if (socket == nullptr) return ResourceExhausted("rabbitmq: no memory for a connection");
  }
  timeval timeout = Time(options.connect_timeout_ms);
  const int status = amqp_socket_open_noblock(socket, endpoint.host.c_str(), endpoint.port, &timeout);
  switch (status) {
    case AMQP_STATUS_OK:
      return absl::OkStatus();
    case AMQP_STATUS_SSL_ERROR:
    case AMQP_STATUS_SSL_CONNECTION_FAILED:
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
    case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
      return HandshakeStatus(options, endpoint);
    default:
      break;
  }
  if (const std::string why = WhyUnreachable(endpoint, options.connect_timeout_ms); !why.empty()) {
    return Unavailable(server_, ": ", why, "; is the server up, and is this its address?");
  }
  return LibraryStatus(server_, "connecting", status);
}

absl::Status Connection::Login(const ConnectionOptions& options, const std::string& name) {
  MR_ASSIGN_OR_RETURN(const std::string password, ReadPassword(options));
  timeval handshake = Time(options.connect_timeout_ms);
  timeval rpc = Time(kRpcTimeoutMs);
  amqp_set_handshake_timeout(state_, &handshake);
  amqp_set_rpc_timeout(state_, &rpc);
  // Without these the server would not tell that a queue was deleted, or that it takes nothing for lack of memory.
  std::array<amqp_table_entry_t, 4> can = {CanDo("consumer_cancel_notify"), CanDo("connection.blocked"),
                                           CanDo("publisher_confirms"), CanDo("basic.nack")};
  std::array<amqp_table_entry_t, 3> entries = {TextEntry("connection_name", name), TextEntry("product", "Millrace"),
                                               amqp_table_entry_t{}};
  entries[2].key = amqp_cstring_bytes("capabilities");
  entries[2].value.kind = AMQP_FIELD_KIND_TABLE;
  entries[2].value.value.table = {static_cast<int>(can.size()), can.data()};
  const amqp_table_t properties = {static_cast<int>(entries.size()), entries.data()};
  const amqp_rpc_reply_t reply =
      amqp_login_with_properties(state_, options.virtual_host.c_str(), 0, kFrameBytes, options.heartbeat_s, &properties,
                                 AMQP_SASL_METHOD_PLAIN, options.username.c_str(), password.c_str());
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) return LoginFailed(options, reply);
  logged_in_ = true;
  return absl::OkStatus();
}

absl::Status Connection::LoginFailed(const ConnectionOptions& options, const amqp_rpc_reply_t& reply) {
  const absl::Status status = ReplyStatus(server_, "logging in", reply);
  int code = 0;
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    code = static_cast<const amqp_connection_close_t*>(reply.reply.decoded)->reply_code;
  }
  if (code == AMQP_ACCESS_REFUSED) {
    return PermissionDenied(server_, ": the server refuses the user '", options.username,
                            "': wrong user or password; correct the option username or the content of ",
                            options.password_file.empty() ? "the option password_file" : options.password_file);
  }
  if (code == AMQP_NOT_ALLOWED && Message(status).find("not found") != std::string::npos) {
    return NotFound(server_, ": there is no virtual host '", options.virtual_host,
                    "'; correct the option virtual_host, or make it (rabbitmqctl add_vhost)");
  }
  if (code == AMQP_NOT_ALLOWED) {
    return PermissionDenied(server_, ": the user '", options.username, "' may not use the virtual host '",
                            options.virtual_host, "'; rabbitmqctl set_permissions gives the right");
  }
  if (code != 0) return status;
  return MakeStatus(status.code(),
                    Concat(Message(status), "; is this port for ", options.tls ? "AMQP with TLS?" : "plain AMQP?"));
}

Connection::~Connection() {
  if (logged_in_ && !broken_) {
    timeval goodbye = Time(kGoodbyeMs);
    amqp_set_rpc_timeout(state_, &goodbye);
    amqp_connection_close(state_, AMQP_REPLY_SUCCESS);
  }
  amqp_destroy_connection(state_);
}

absl::Status Connection::Check(std::string_view what, int library_status) {
  absl::Status status = LibraryStatus(server_, what, library_status);
  if (!status.ok()) broken_ = true;
  return status;
}

absl::Status Connection::CheckReply(std::string_view what) {
  absl::Status status = ReplyStatus(server_, what, amqp_get_rpc_reply(state_));
  if (absl::IsUnavailable(status)) broken_ = true;
  return status;
}

bool Connection::TakeNotice(const amqp_frame_t& frame) {
  if (frame.frame_type != AMQP_FRAME_METHOD) return false;
  if (frame.payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD) {
    blocked_ = Text(static_cast<const amqp_connection_blocked_t*>(frame.payload.method.decoded)->reason);
    return true;
  }
  if (frame.payload.method.id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
    blocked_.clear();
    return true;
  }
  return false;
}

absl::StatusOr<bool> Connection::NextFrame(amqp_frame_t& frame) {
  while (true) {
    timeval now{};
    const int status = amqp_simple_wait_frame_noblock(state_, &frame, &now);
    if (status == AMQP_STATUS_TIMEOUT) return false;
    MR_RETURN_IF_ERROR(Check("connection lost", status));
    if (TakeNotice(frame)) continue;
    if (frame.frame_type != AMQP_FRAME_METHOD) return true;
    const amqp_method_t& method = frame.payload.method;
    if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
      broken_ = true;
      return CloseStatus(server_, "the server closed the connection", method);
    }
    if (method.id == AMQP_CHANNEL_CLOSE_METHOD) return CloseStatus(server_, "the server closed the channel", method);
    return true;
  }
}

void Connection::Await(int wake_fd, int timeout_ms) const {
  if (amqp_frames_enqueued(state_) || amqp_data_in_buffer(state_)) return;
  std::array<pollfd, 2> polled = {{{amqp_get_sockfd(state_), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
  poll(polled.data(), polled.size(), timeout_ms);  // EINTR: the caller comes again
}

}  // namespace millrace::rabbitmq
