// What gRPC itself writes to stderr. A daemon takes it into its own log, a command-line program drops it: what matters
// of it comes back as the status of a call.
//
//   RouteGrpcLog();    // a daemon, after InitLogging
//   SilenceGrpcLog();  // a command
//
// Call once, before any other use of gRPC.
#pragma once

namespace millrace {

// gRPC's errors become debug lines of ours, because every stranger's failed handshake is one of them; they may be many.
void RouteGrpcLog();
void SilenceGrpcLog();

}  // namespace millrace
