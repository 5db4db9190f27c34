// What librabbitmq and the broker answer, as a status that names the server, the cause and a remedy.
//
//   MR_RETURN_IF_ERROR(ReplyStatus("rabbitmq at rabbit-1:5672", "declaring queue 'orders'",
//   amqp_get_rpc_reply(state)));
//
// PermissionDenied, NotFound, InvalidArgument and FailedPrecondition stay until somebody changes something;
// Unavailable and ResourceExhausted may pass.
#pragma once

#include <amqp.h>

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace millrace::rabbitmq {

// A status code of librabbitmq (AMQP_STATUS_…); negative ones are errors.
absl::Status LibraryStatus(std::string_view server, std::string_view what, int status);
absl::Status ReplyStatus(std::string_view server, std::string_view what, const amqp_rpc_reply_t& reply);
// connection.close or channel.close, which the broker sends with its reason.
absl::Status CloseStatus(std::string_view server, std::string_view what, const amqp_method_t& method);

}  // namespace millrace::rabbitmq
