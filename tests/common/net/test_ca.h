// A certificate authority for tests: makes roots, intermediates and leaves, good ones and every kind of bad one, in
// memory.
//
//   TestCa ca("dev");
//   TlsIdentity driver = ca.Identity("driver", "driver-1");
//   Pem old = ca.Leaf({.uris = {"spiffe://dev/client/c"}, .not_after = -3600});
//
// One thread at a time. A failure of OpenSSL ends the test program.
#pragma once

#include <string>
#include <vector>

#include "common/net/openssl.h"
#include "common/net/runner_certificate.h"
#include "common/net/tls.h"

namespace millrace {

struct Pem {
  std::string key;
  std::string cert;
};

struct LeafOptions {
  std::vector<std::string> uris;
  long not_before = -60;  // seconds from now
  long not_after = 3600;
  std::string constraints = "critical,CA:FALSE";
  std::string key_usage = "critical,digitalSignature";
  std::string usages = "clientAuth,serverAuth";
};

class TestCa {
 public:
  explicit TestCa(std::string cluster, long not_after = 86400);

  const std::string& ca_pem() const { return root_.cert; }
  Pem Leaf(const LeafOptions& options) const;
  // A valid identity of our cluster; fails the program if it is refused.
  TlsIdentity Identity(const std::string& role, const std::string& id) const;
  // An identity that is made of a leaf without any check, to try what a peer says to it.
  TlsIdentity Unchecked(const Pem& leaf, const std::string& role) const;
  CertificateIssuer Intermediate() const;

 private:
  const std::string cluster_;
  Pem root_;
};

// Writes ca.crt, client.crt and so on: `name`.crt and `name`.key, and ca.crt.
void WritePem(const std::string& directory, const std::string& name, const Pem& pem);
void WriteText(const std::string& path, const std::string& text);

}  // namespace millrace
