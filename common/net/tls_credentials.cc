// gRPC credentials made of an identity, and who is at the other end.
#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <cstdlib>

#include "common/net/openssl.h"
#include "common/net/tls.h"

namespace millrace {
namespace {

// Runs after gRPC has verified the chain and its dates; only the name is left to be judged.
class ServerNameVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit ServerNameVerifier(PeerName expected) : expected_(std::move(expected)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* sync_status) override {
    const std::vector<grpc::string_ref> uris = request->uri_names();
    const std::string why = Judge(uris);
    if (!why.empty()) *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, why);
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  // Empty when the peer is who it should be.
  std::string Judge(const std::vector<grpc::string_ref>& uris) const {
    const std::string wanted = Concat("expected a certificate of spiffe://", expected_.cluster, "/", expected_.role,
                                      "/", expected_.id.empty() ? std::string("*") : expected_.id);
    if (uris.size() != 1) return Concat(wanted, ", but the server's certificate has ", uris.size(), " URI names");
    const std::string uri(uris[0].data(), uris[0].size());
    const absl::StatusOr<PeerName> name = ParsePeerName(uri);
    const bool good = name.ok() && name->cluster == expected_.cluster && name->role == expected_.role &&
                      (expected_.id.empty() || name->id == expected_.id);
    return good ? std::string() : Concat(wanted, ", but the server presented one of ", uri);
  }

  const PeerName expected_;  // an empty id: any
};

}  // namespace

void RequireTls13() {
  // gRPC 1.51 has no call for a minimum version and sets OpenSSL's itself. With one TLS 1.2 suite left, which needs a
  // pre-shared key that nobody has, no TLS 1.2 handshake can succeed; TLS 1.3 has suites of its own, which this list
  // does not touch.
  setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-PSK-CHACHA20-POLY1305", 1);
}

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const TlsIdentity& self) {
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = self.ca_pem;
  options.pem_key_cert_pairs.push_back({self.key_pem, self.chain_pem});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(const TlsIdentity& self, std::string_view expected_role,
                                                             std::string expected_id) {
  namespace x = grpc::experimental;
  const std::vector<x::IdentityKeyCertPair> pairs = {{self.key_pem, self.chain_pem}};
  x::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<x::StaticDataCertificateProvider>(self.ca_pem, pairs));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_certificate_verifier(x::ExternalCertificateVerifier::Create<ServerNameVerifier>(
      PeerName{self.name.cluster, std::string(expected_role), std::move(expected_id)}));
  options.set_check_call_host(false);  // names are URIs, not hosts
  return x::TlsCredentials(options);
}

absl::StatusOr<PeerName> PeerOf(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  const std::vector<grpc::string_ref> ids =
      auth ? auth->FindPropertyValues(GRPC_PEER_SPIFFE_ID_PROPERTY_NAME) : std::vector<grpc::string_ref>();
  if (ids.size() != 1) {
    return PermissionDenied("the caller's certificate has no single URI name spiffe://<cluster>/<role>/<id>");
  }
  absl::StatusOr<PeerName> name = ParsePeerName(std::string_view(ids[0].data(), ids[0].size()));
  if (!name.ok()) return PermissionDenied("the caller's certificate: ", Message(name.status()));
  return name;
}

absl::Status RequireRole(const grpc::ServerContextBase& context, const TlsIdentity& self,
                         std::initializer_list<std::string_view> roles, std::string_view what) {
  MR_ASSIGN_OR_RETURN(const PeerName peer, PeerOf(context));
  if (peer.cluster != self.name.cluster) {
    return PermissionDenied("certificate ", peer.Uri(), " belongs to cluster ", peer.cluster, ", but this is cluster ",
                            self.name.cluster);
  }
  if (std::ranges::find(roles, std::string_view(peer.role)) != roles.end()) return absl::OkStatus();
  std::string wanted;
  for (std::string_view role : roles) wanted += Concat(wanted.empty() ? "" : " or ", role);
  return PermissionDenied("certificate ", peer.Uri(), " has role ", peer.role, ", but ", what, " needs role ", wanted);
}

}  // namespace millrace
