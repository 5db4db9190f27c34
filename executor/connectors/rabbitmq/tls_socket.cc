#include "executor/connectors/rabbitmq/tls_socket.h"

#include <amqp_ssl_socket.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/status.h"

namespace millrace::rabbitmq {
namespace {

// What OpenSSL found wrong with a certificate, before librabbitmq makes one code of it all.
thread_local int certificate_error = X509_V_OK;

int NoteVerification(int good, X509_STORE_CTX* context) {
  if (good == 0) certificate_error = X509_STORE_CTX_get_error(context);
  return good;
}

std::string LastOpenSslError() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_peek_last_error();
  if (code == 0) return "no reason is known";
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

absl::Status CheckReadable(std::string_view option, const std::string& file) {
  if (file.empty() || access(file.c_str(), R_OK) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, Concat("rabbitmq: reading ", option, " ", file, " on this machine"));
}

void ExpectName(SSL_CTX* context, const std::string& host) {
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1) return;
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  MR_CHECK(X509_VERIFY_PARAM_set1_host(parameters, host.data(), host.size()) == 1);
}

}  // namespace

absl::StatusOr<amqp_socket_t*> NewTlsSocket(amqp_connection_state_t state, const ConnectionOptions& options,
                                            const Endpoint& endpoint) {
  MR_RETURN_IF_ERROR(CheckReadable("ca_file", options.ca_file));
  MR_RETURN_IF_ERROR(CheckReadable("certificate_file", options.certificate_file));
  MR_RETURN_IF_ERROR(CheckReadable("key_file", options.key_file));
  ERR_clear_error();
  amqp_socket_t* socket = amqp_ssl_socket_new(state);
  if (socket == nullptr) return ResourceExhausted("rabbitmq: no memory for a TLS connection");
  auto* context = static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(socket));
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (amqp_ssl_socket_set_cacert(socket, options.ca_file.c_str()) != AMQP_STATUS_OK) {
    return InvalidArgument("rabbitmq: ca_file ", options.ca_file, " holds no usable certificate: ", LastOpenSslError());
  }
  if (!options.certificate_file.empty() &&
      amqp_ssl_socket_set_key(socket, options.certificate_file.c_str(), options.key_file.c_str()) != AMQP_STATUS_OK) {
    return InvalidArgument("rabbitmq: certificate_file ", options.certificate_file, " and key_file ", options.key_file,
                           " cannot be used together: ", LastOpenSslError());
  }
  amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
  amqp_ssl_socket_set_verify_peer(socket, 1);
  amqp_ssl_socket_set_verify_hostname(socket, 0);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NoteVerification);
  ExpectName(context, endpoint.host);
  certificate_error = X509_V_OK;
  return socket;
}

absl::Status HandshakeStatus(const ConnectionOptions& options, const Endpoint& endpoint) {
  const std::string where = Concat("rabbitmq at ", endpoint.text(), ": TLS: ");
  switch (certificate_error) {
    case X509_V_OK:
      return Unavailable(where, LastOpenSslError(),
                         "; does the server speak TLS on this port (5671 is usual), and does it want a certificate of "
                         "ours (options certificate_file and key_file)?");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return PermissionDenied(where, "the server's certificate is not made out to '", endpoint.host,
                              "'; use the name that it carries in the option hosts, or give the server another one");
    default:
      return PermissionDenied(where, "the server's certificate is not to be trusted: ",
                              std::string_view(X509_verify_cert_error_string(certificate_error)), "; ",
                              options.ca_file.empty() ? "name its authority in the option ca_file"
                                                      : Concat("ca_file is ", options.ca_file));
  }
}

}  // namespace millrace::rabbitmq
