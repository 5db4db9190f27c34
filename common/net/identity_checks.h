// The checks that a process's identity and a certificate issuer have in common: files, key, chain, dates. Only
// common/net includes this header. Functions hold nothing and are thread-safe; errors name the file (or what stands for
// it) and the remedy.
#pragma once

#include <string>
#include <vector>

#include "common/net/openssl.h"
#include "common/net/tls.h"
#include "common/status.h"

namespace millrace {

// PEM texts, and how messages call their origins.
struct PemTriple {
  std::string ca, cert, key;
  std::string ca_from = "CA certificate", cert_from = "certificate", key_from = "private key";
};

absl::StatusOr<PemTriple> ReadPemFiles(const TlsFiles& files);

// The parsed chain, leaf first, after its key, its dates and the CA's signature have been found good.
absl::StatusOr<std::vector<openssl::CertPtr>> CheckKeyAndChain(const PemTriple& pem);

}  // namespace millrace
