// Who is who: the identities of Millrace's processes and the gRPC credentials made of them. Every connection is
// mutually authenticated TLS 1.3; a process is named by the one URI in its certificate's subject alternative name,
// spiffe://<cluster>/<role>/<id>, and never by a host name. Roles are driver, executor, runner and client.
//
//   RequireTls13();                                                             // first thing in main
//   MR_ASSIGN_OR_RETURN(TlsIdentity self, LoadIdentity({ca, cert, key}, "executor"));
//   auto channel = grpc::CreateChannel(target, ChannelCredentials(self, "driver"));
//
// Functions are thread-safe and hold nothing. An identity is checked completely when it is made, so that a bad file
// stops a daemon at its start with a message that names the file and the remedy; nothing is read again later.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "common/status.h"

namespace millrace {

// spiffe://<cluster>/<role>/<id>. The id may hold slashes: a runner's is "<job>/<executor>-<attempt>".
struct PeerName {
  std::string cluster;
  std::string role;
  std::string id;

  std::string Uri() const { return Concat("spiffe://", cluster, "/", role, "/", id); }
  bool operator==(const PeerName&) const = default;
};

// InvalidArgument when it is no such URI or the role is unknown.
absl::StatusOr<PeerName> ParsePeerName(std::string_view uri);

// Paths of PEM files. `cert` holds the leaf and, if there is one, the intermediate that signed it.
struct TlsFiles {
  std::string ca;
  std::string cert;
  std::string key;
};

struct TlsIdentity {
  std::string key_pem;
  std::string chain_pem;
  std::string ca_pem;
  PeerName name;
  std::chrono::system_clock::time_point not_after;  // of the leaf
};

// Checks that everything can be read and parsed, that the key is the certificate's, that the CA vouches for the chain,
// the dates, that there is exactly one URI and that its role is the expected one (an empty `expected_role`: any).
// NotFound or PermissionDenied when a file cannot be read, FailedPrecondition for dates, InvalidArgument for the rest.
absl::StatusOr<TlsIdentity> LoadIdentity(const TlsFiles& files, std::string_view expected_role);
absl::StatusOr<TlsIdentity> MakeIdentity(std::string key_pem, std::string chain_pem, std::string ca_pem,
                                         std::string_view expected_role);

// Makes every gRPC handshake of this process refuse TLS 1.2. Call before anything else of gRPC; repeating it does no
// harm.
void RequireTls13();

// The server's end: whoever connects must hold a certificate of the CA, of any role; what a role may do is asked at
// each call.
std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const TlsIdentity& self);

// The client's end: the server must hold a certificate of the CA that names our cluster, the role and, unless it is
// empty, the id.
std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(const TlsIdentity& self, std::string_view expected_role,
                                                             std::string expected_id = "");

// Who is calling. PermissionDenied when the connection has no usable name.
absl::StatusOr<PeerName> PeerOf(const grpc::ServerContextBase& context);

// PermissionDenied unless the caller belongs to our cluster and has one of the roles. `what` is the call,
// "Control/Submit".
absl::Status RequireRole(const grpc::ServerContextBase& context, const TlsIdentity& self,
                         std::initializer_list<std::string_view> roles, std::string_view what);

// What a connection's failure means, in words a user can act on: refused, no such host, timeout, another CA, expired,
// another role, no TLS. As far as gRPC's text tells; a message that says none of it comes back unchanged, with the
// target before it.
std::string ExplainConnectFailure(std::string_view message, std::string_view target);
std::string ExplainConnectFailure(const grpc::Status& status, std::string_view target);

}  // namespace millrace
