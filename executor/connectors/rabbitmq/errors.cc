#include "executor/connectors/rabbitmq/errors.h"

#include <amqp.h>
#include <amqp_framing.h>

#include <array>

#include "common/status.h"
#include "executor/connectors/rabbitmq/amqp_text.h"

namespace millrace::rabbitmq {
namespace {

struct CloseCode {
  int code;
  absl::StatusCode status;
  std::string_view remedy;
};
constexpr absl::StatusCode kDenied = absl::StatusCode::kPermissionDenied;
constexpr std::array<CloseCode, 8> kCodes = {{
    {AMQP_CONTENT_TOO_LARGE, absl::StatusCode::kInvalidArgument, "raise max_message_size of the server"},
    {AMQP_ACCESS_REFUSED, kDenied, "give the user the right to do it (rabbitmqctl set_permissions)"},
    {AMQP_NOT_FOUND, absl::StatusCode::kNotFound, "make it, or correct the name in the job's options"},
    {AMQP_RESOURCE_LOCKED, absl::StatusCode::kFailedPrecondition, "another connection has it for itself alone"},
    {AMQP_PRECONDITION_FAILED, absl::StatusCode::kFailedPrecondition,
     "it exists with other properties, or what was "
     "asked for does not fit it"},
    {AMQP_NOT_ALLOWED, kDenied, "see the permissions of the user on this virtual host"},
    {AMQP_RESOURCE_ERROR, absl::StatusCode::kResourceExhausted, "the server lacks memory, disk or descriptors"},
    {AMQP_CONNECTION_FORCED, absl::StatusCode::kUnavailable, "the server is shutting down, or an operator closed it"},
}};

absl::Status FromCode(std::string_view where, std::string_view what, int code, std::string_view text) {
  for (const CloseCode& known : kCodes) {
    if (known.code == code) return MakeStatus(known.status, Concat(where, ": ", what, ": ", text, "; ", known.remedy));
  }
  return Unavailable(where, ": ", what, ": ", text, " (code ", code, ")");
}

}  // namespace

absl::Status LibraryStatus(std::string_view server, std::string_view what, int status) {
  if (status >= 0) return absl::OkStatus();
  switch (status) {
    case AMQP_STATUS_HEARTBEAT_TIMEOUT:
      return Unavailable(server, ": ", what, ": no heartbeat came; the server hangs, or the network between is cut");
    case AMQP_STATUS_TIMEOUT:
      return Unavailable(server, ": ", what, ": no answer in time; the server hangs, or the network between is cut");
    case AMQP_STATUS_CONNECTION_CLOSED:
    case AMQP_STATUS_SOCKET_CLOSED:
      return Unavailable(server, ": ", what, ": the server closed the connection");
    default:
      return Unavailable(server, ": ", what, ": ", std::string_view(amqp_error_string2(status)));
  }
}

absl::Status CloseStatus(std::string_view server, std::string_view what, const amqp_method_t& method) {
  if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_connection_close_t*>(method.decoded);
    return FromCode(server, what, close->reply_code, Text(close->reply_text));
  }
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_channel_close_t*>(method.decoded);
    return FromCode(server, what, close->reply_code, Text(close->reply_text));
  }
  const char* name = amqp_method_name(method.id);
  return Unavailable(server, ": ", what, ": unexpected answer ", std::string_view(name == nullptr ? "?" : name));
}

absl::Status ReplyStatus(std::string_view server, std::string_view what, const amqp_rpc_reply_t& reply) {
  const auto& [type, method, library] = reply;
  switch (type) {
    case AMQP_RESPONSE_NORMAL:
      return absl::OkStatus();
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
      return LibraryStatus(server, what, library);
    case AMQP_RESPONSE_SERVER_EXCEPTION:
      return CloseStatus(server, what, method);
    default:
      return Unavailable(server, ": ", what, ": the server closed the connection without an answer");
  }
}

}  // namespace millrace::rabbitmq
