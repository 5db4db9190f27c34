// What a TLS client trusts and shows: made once, shared by its channels.
//
//   MR_ASSIGN_OR_RETURN(auto tls, TlsContext::Make("cassandra", options));
//
// Thread rule: immutable once made. Errors: InvalidArgument names the option and the file that cannot be used.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace millrace::net {

// What the connector calls its options, for messages.
struct TlsOptionNames {
  std::string_view ca_file = "ca_file";
  std::string_view certificate_file = "certificate_file";
  std::string_view key_file = "key_file";
  std::string_view server_name = "server_name";
};

struct TlsOptions {
  std::string ca_file = {};           // empty: the machine's own authorities
  std::string certificate_file = {};  // with key_file: for servers that ask for a certificate
  std::string key_file = {};
  std::string server_name = {};  // what the server's certificate is made for; empty: the endpoint's host
  TlsOptionNames names = {};
};

struct FreeSslContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct TlsContext {
  std::unique_ptr<SSL_CTX, FreeSslContext> context;
  std::string server_name;
  TlsOptionNames names;

  static absl::StatusOr<std::unique_ptr<TlsContext>> Make(std::string_view who, const TlsOptions& options);
};

// The oldest error that OpenSSL holds for this thread, and none is left there.
std::string TakeTlsError();

}  // namespace millrace::net
