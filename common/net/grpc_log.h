// What gRPC does by itself that suits no program of ours. What it writes to stderr a daemon takes into its own log, and a
// command-line program drops: what matters of it comes back as the status of a call. And its locks look for deadlocks
// each time they are taken, where Abseil was built with its checks on, as Debian's is.
//
//   RouteGrpcLog();     // a daemon, after InitLogging
//   SilenceGrpcLog();   // a command
//   TrustGrpcLocks();   // a daemon
//
// Call once, before any other use of gRPC.
#pragma once

namespace millrace {

// A refused TLS handshake becomes a warning, a few a second at most; other errors of gRPC become debug lines of ours.
void RouteGrpcLog();
void SilenceGrpcLog();
void TrustGrpcLocks();

}  // namespace millrace
