// What gRPC itself writes to stderr. A daemon takes it into its own log, a command-line program drops it: what matters
// of it comes back as the status of a call.
//
//   RouteGrpcLog();    // a daemon, after InitLogging
//   SilenceGrpcLog();  // a command
//
// Call once, before any other use of gRPC.
#pragma once

namespace millrace {

// A refused TLS handshake becomes a warning, a few a second at most; other errors of gRPC become debug lines of ours.
void RouteGrpcLog();
void SilenceGrpcLog();

}  // namespace millrace
