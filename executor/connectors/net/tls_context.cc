#include "executor/connectors/net/tls_context.h"

#include <openssl/err.h>

#include <system_error>

#include "common/status.h"

namespace millrace::net {

std::string TakeTlsError() {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(error)) return std::generic_category().message(ERR_GET_REASON(error));
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "the connection was closed" : reason;
}

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Make(std::string_view who, const TlsOptions& options) {
  ERR_clear_error();
  auto made = std::make_unique<TlsContext>();
  made->server_name = options.server_name;
  made->names = options.names;
  made->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = made->context.get();
  if (context == nullptr) return Internal(who, ": no TLS: ", TakeTlsError());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const auto bad = [&](std::string_view option, const std::string& file) {
    return InvalidArgument(who, ": option ", option, ": cannot use ", file, ": ", TakeTlsError(),
                           "; it must be a readable PEM file on every executor");
  };
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
    return bad(options.names.ca_file, options.ca_file);
  }
  if (options.certificate_file.empty()) return made;
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    return bad(options.names.certificate_file, options.certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return bad(options.names.key_file, options.key_file);
  }
  return made;
}

}  // namespace millrace::net
