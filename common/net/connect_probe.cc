#include "common/net/connect_probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "common/net/openssl.h"

namespace millrace {
namespace {

using SslContextPtr = std::unique_ptr<SSL_CTX, openssl::Freer<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, openssl::Freer<SSL_free>>;

class Socket {
 public:
  ~Socket() { Close(); }
  int get() const { return fd_; }
  void Set(int fd) {
    Close();
    fd_ = fd;
  }

 private:
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int fd_ = -1;
};

// 0, or the error.
int ConnectOne(const addrinfo& address, std::chrono::milliseconds timeout, Socket& out) {
  out.Set(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (out.get() < 0) return errno;
  if (connect(out.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting{out.get(), POLLOUT, 0};
  if (poll(&waiting, 1, static_cast<int>(timeout.count())) == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(out.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// Empty, or what hinders.
std::string Connect(const std::string& target, std::chrono::milliseconds timeout, Socket& out) {
  const std::size_t colon = target.rfind(':');
  if (colon == target.npos) return "it must be HOST:PORT";
  std::string host = target.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), target.substr(colon + 1).c_str(), &hints, &found); error != 0) {
    return Concat("there is no such host (", std::string_view(gai_strerror(error)), "): check the name");
  }
  int error = ENOENT;
  for (const addrinfo* one = found; one != nullptr && error != 0; one = one->ai_next)
    error = ConnectOne(*one, timeout, out);
  freeaddrinfo(found);
  if (error == 0) {
    fcntl(out.get(), F_SETFL, 0);
    const timeval limit{timeout.count() / 1000, timeout.count() % 1000 * 1000};
    setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(out.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return {};
  }
  if (error == ECONNREFUSED) return "nothing listens there (connection refused): is it running, and is the port right?";
  if (error == ETIMEDOUT) return "no answer in time: is the address right, and is it alive?";
  return Concat("no connection (", std::string_view(std::strerror(error)), "): check the address and the network");
}

SslContextPtr MakeContext(const TlsIdentity& self) {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  X509_STORE* store = SSL_CTX_get_cert_store(context.get());
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  for (const openssl::CertPtr& one : openssl::ParseCertificates(self.ca_pem)) X509_STORE_add_cert(store, one.get());
  const std::vector<openssl::CertPtr> chain = openssl::ParseCertificates(self.chain_pem);
  const openssl::KeyPtr key = openssl::ParseKey(self.key_pem);
  if (!chain.empty() && key) {
    SSL_CTX_use_certificate(context.get(), chain.front().get());
    SSL_CTX_use_PrivateKey(context.get(), key.get());
    for (std::size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context.get(), chain[i].get());
  }
  const unsigned char http2[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), http2, sizeof http2);
  // Any chain is let through here, to see all of it; the verdict is read afterwards.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  return context;
}

// What is wrong with the peer's certificate; empty when nothing is.
std::string JudgePeer(SSL* ssl, const TlsIdentity& self, std::string_view expected_role) {
  X509* leaf = SSL_get0_peer_certificate(ssl);
  if (leaf == nullptr) return "it showed no certificate";
  const long verdict = SSL_get_verify_result(ssl);
  if (verdict == X509_V_ERR_CERT_HAS_EXPIRED) {
    return Concat("its certificate expired on ", openssl::FormatTime(X509_get0_notAfter(leaf)),
                  ": issue a new one there (or set this machine's clock)");
  }
  if (verdict == X509_V_ERR_CERT_NOT_YET_VALID) {
    return Concat("its certificate is not valid before ", openssl::FormatTime(X509_get0_notBefore(leaf)),
                  ": compare the clocks of both machines");
  }
  if (verdict != X509_V_OK) {
    return Concat("our CA does not vouch for its certificate (",
                  std::string_view(X509_verify_cert_error_string(verdict)), "): give the CA file of that cluster");
  }
  const std::vector<std::string> uris = openssl::UriNames(leaf);
  const auto name = ParsePeerName(uris.size() == 1 ? uris[0] : "");
  if (name.ok() && name->role == expected_role && name->cluster == self.name.cluster) return {};
  return Concat("its certificate is of ", uris.empty() ? "no process" : uris[0], ", but spiffe://", self.name.cluster,
                "/", expected_role, "/* is expected: check address and cluster");
}

// The peer judges our certificate after our side of a TLS 1.3 handshake is done; its alert comes in place of the first
// data.
std::string AlertOf(SSL* ssl) {
  ERR_clear_error();
  char byte = 0;
  if (SSL_read(ssl, &byte, 1) > 0) return {};
  const unsigned long code = ERR_peek_error();
  if (code == 0) return {};
  if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {  // gRPC hangs up without an alert
    return "our certificate and gives no reason: has the CA of that cluster issued it, and do the clocks of both "
           "machines agree?";
  }
  switch (ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_CERTIFICATE_EXPIRED:
      return "our certificate, which has expired or is not valid yet: issue a new one";
    case SSL_AD_UNKNOWN_CA:
      return "our certificate, which its CA did not issue: use the one that was issued for that cluster";
    case SSL_AD_CERTIFICATE_REVOKED:
      return "our certificate, which has been revoked: issue a new one";
    default:
      return Concat("our certificate (", openssl::LastOpensslError(), "): use one that was issued for that cluster");
  }
}

std::string HandshakeFault() {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_HTTP_REQUEST) {
    return "it does not speak TLS: is this the right port?";
  }
  if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION) {
    return "it does not offer TLS 1.3, which is needed";
  }
  if (code == 0) return "it closed the connection or fell silent during the TLS handshake: does it speak TLS?";
  return Concat("the TLS handshake failed (", openssl::LastOpensslError(), ")");
}

}  // namespace

ProbeResult ProbePeer(const std::string& target, const TlsIdentity& self, std::string_view expected_role,
                      std::chrono::milliseconds timeout) {
  const auto result = [&](ProbeFault fault, const std::string& why) {
    return ProbeResult{fault, Concat(target, ": ", why)};
  };
  Socket socket;
  if (const std::string why = Connect(target, timeout, socket); !why.empty())
    return result(ProbeFault::kUnreachable, why);
  const SslContextPtr context = MakeContext(self);
  const SslPtr ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), socket.get());
  ERR_clear_error();
  if (SSL_connect(ssl.get()) != 1) return result(ProbeFault::kUnreachable, HandshakeFault());
  if (const std::string why = JudgePeer(ssl.get(), self, expected_role); !why.empty())
    return result(ProbeFault::kPeerBad, why);
  if (const std::string why = AlertOf(ssl.get()); !why.empty())
    return result(ProbeFault::kRefused, Concat("it refuses ", why));
  ERR_clear_error();
  return {};
}

}  // namespace millrace
