// Certificates for runners. A runner makes a key that never leaves it and a request; its executor passes the request
// on; the driver signs it with the intermediate CA that it holds (CA:true, pathlen:0) for the name that the driver
// chose.
//
//   MR_ASSIGN_OR_RETURN(KeyAndCsr made, MakeKeyAndCsr("spiffe://dev/runner/j-1a2b/e1-3"));                          //
//   runner's side MR_ASSIGN_OR_RETURN(std::string chain, SignCsr(issuer, made.csr_pem,
//   "spiffe://dev/runner/j-1a2b/e1-3", 24h));  // driver MR_ASSIGN_OR_RETURN(TlsIdentity self,
//   MakeIdentity(made.key_pem, chain, ca_pem, "runner"));
//
// Thread-safe. Keys are EC P-256.
#pragma once

#include <chrono>
#include <string>

#include "common/net/tls.h"
#include "common/status.h"

namespace millrace {

struct KeyAndCsr {
  std::string key_pem;
  std::string csr_pem;
};

absl::StatusOr<KeyAndCsr> MakeKeyAndCsr(const std::string& spiffe_uri);

// An intermediate CA: its key, and its certificate with any that stand between it and the root.
struct CertificateIssuer {
  std::string key_pem;
  std::string chain_pem;
};

// Reads and checks: the key is the certificate's, the CA vouches for it, it may sign, and its dates. Errors as of
// LoadIdentity.
absl::StatusOr<CertificateIssuer> LoadIssuer(const TlsFiles& files);

// A leaf for the request's key and `spiffe_uri`, followed by the issuer's chain. Only the key is taken from the
// request: names and extensions that it asks for are not. Valid from five minutes ago (clocks differ) for `lifetime`,
// but not longer than the issuer. InvalidArgument for a bad request, a key that is not P-256, or a bad name;
// FailedPrecondition when the issuer cannot sign.
absl::StatusOr<std::string> SignCsr(const CertificateIssuer& issuer, const std::string& csr_pem,
                                    const std::string& spiffe_uri, std::chrono::seconds lifetime);

}  // namespace millrace
