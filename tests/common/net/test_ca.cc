#include "tests/common/net/test_ca.h"

#include <openssl/pem.h>

#include <ctime>
#include <fstream>

namespace millrace {
namespace {

openssl::KeyPtr NewKey() {
  openssl::KeyPtr key(EVP_EC_gen("P-256"));
  MR_CHECK(key != nullptr);
  return key;
}

std::string KeyText(EVP_PKEY* key) {
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  MR_CHECK(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return openssl::TextOf(bio.get());
}

std::string CertText(X509* certificate) {
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  MR_CHECK(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return openssl::TextOf(bio.get());
}

void Add(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const openssl::ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  MR_CHECK(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void SetName(X509_NAME* name, const std::string& text) {
  MR_CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text.c_str()),
                                      -1, -1, 0) == 1);
}

// Signed by `issuer`, or by itself when there is none.
Pem Make(const std::string& common_name, const LeafOptions& options, const Pem* issuer) {
  static long serial = 1;
  const openssl::KeyPtr key = NewKey();
  const openssl::CertPtr certificate(X509_new());
  X509* made = certificate.get();
  X509_set_version(made, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
  SetName(X509_get_subject_name(made), common_name);
  X509_gmtime_adj(X509_getm_notBefore(made), options.not_before);
  X509_gmtime_adj(X509_getm_notAfter(made), options.not_after);
  X509_set_pubkey(made, key.get());
  const std::vector<openssl::CertPtr> parents = openssl::ParseCertificates(issuer == nullptr ? "" : issuer->cert);
  X509* parent = parents.empty() ? made : parents[0].get();
  const openssl::KeyPtr parent_key = issuer == nullptr ? nullptr : openssl::ParseKey(issuer->key);
  X509_set_issuer_name(made, X509_get_subject_name(parent));
  Add(made, parent, NID_basic_constraints, options.constraints);
  Add(made, parent, NID_key_usage, options.key_usage);
  Add(made, parent, NID_ext_key_usage, options.usages);
  Add(made, parent, NID_subject_key_identifier, "hash");
  std::string names;
  for (const std::string& uri : options.uris) names += Concat(names.empty() ? "URI:" : ",URI:", uri);
  Add(made, parent, NID_subject_alt_name, names);
  MR_CHECK(X509_sign(made, parent_key ? parent_key.get() : key.get(), EVP_sha256()) > 0);
  return {KeyText(key.get()), CertText(made)};
}

}  // namespace

TestCa::TestCa(std::string cluster, long not_after)
    : cluster_(std::move(cluster)),
      root_(Make(Concat("Test CA ", cluster_),
                 {.uris = {},
                  .not_before = -86400,
                  .not_after = not_after,
                  .constraints = "critical,CA:TRUE",
                  .key_usage = "critical,keyCertSign",
                  .usages = ""},
                 nullptr)) {}

Pem TestCa::Leaf(const LeafOptions& options) const { return Make("leaf", options, &root_); }

TlsIdentity TestCa::Identity(const std::string& role, const std::string& id) const {
  const Pem leaf = Leaf({.uris = {Concat("spiffe://", cluster_, "/", role, "/", id)}});
  absl::StatusOr<TlsIdentity> identity = MakeIdentity(leaf.key, leaf.cert, ca_pem(), role);
  MR_CHECK(identity.ok());
  return *std::move(identity);
}

TlsIdentity TestCa::Unchecked(const Pem& leaf, const std::string& role) const {
  return {leaf.key, leaf.cert, ca_pem(), {cluster_, role, "unchecked"}, {}};
}

CertificateIssuer TestCa::Intermediate() const {
  const Pem pem =
      Make("Test intermediate",
           {.uris = {}, .constraints = "critical,CA:TRUE,pathlen:0", .key_usage = "critical,keyCertSign", .usages = ""},
           &root_);
  return {pem.key, pem.cert};
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  MR_CHECK(file.good());
}

void WritePem(const std::string& directory, const std::string& name, const Pem& pem) {
  WriteText(Concat(directory, "/", name, ".crt"), pem.cert);
  WriteText(Concat(directory, "/", name, ".key"), pem.key);
}

}  // namespace millrace
