// A librabbitmq socket with TLS: the server's certificate must come from an authority we trust and be made out to the
// host name or address that was dialled. (librabbitmq's own check of the name knows no addresses, so OpenSSL does it.)
//
// One thread at a time; the connection owns the socket.
#pragma once

#include <amqp.h>

#include <string>

#include "absl/status/statusor.h"
#include "executor/connectors/rabbitmq/connection_options.h"

namespace millrace::rabbitmq {

// InvalidArgument or NotFound when a certificate file cannot be used: the message names it.
absl::StatusOr<amqp_socket_t*> NewTlsSocket(amqp_connection_state_t state, const ConnectionOptions& options,
                                            const Endpoint& endpoint);

// Why the handshake that has just failed on this thread did.
absl::Status HandshakeStatus(const ConnectionOptions& options, const Endpoint& endpoint);

}  // namespace millrace::rabbitmq
