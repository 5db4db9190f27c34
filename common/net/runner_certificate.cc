#include "common/net/runner_certificate.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "common/net/identity_checks.h"
#include "common/net/openssl.h"

namespace millrace {
namespace {

using openssl::CertPtr;
using openssl::CsrPtr;
using openssl::KeyPtr;

constexpr std::time_t kClockSkewSeconds = 300;

absl::Status Failed(std::string_view what) { return Internal(what, ": ", openssl::LastOpensslError()); }

absl::Status AddExtension(X509* certificate, X509V3_CTX* context, int nid, const std::string& value) {
  const openssl::ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, context, nid, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
    return Failed("adding a certificate extension");
  return absl::OkStatus();
}

// The common name is for people reading a certificate; nothing here looks at it. It holds 64 characters at most.
bool SetCommonName(X509_NAME* subject, const PeerName& name) {
  const std::string text = Concat(name.role, " ", name.id).substr(0, 64);
  return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool IsP256(EVP_PKEY* key) {
  char group[40] = {};
  std::size_t size = 0;
  return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
         std::string_view(group, size) == "prime256v1";
}

// 127 random bits, never zero.
bool SetSerial(X509* certificate) {
  BIGNUM* number = BN_new();
  const bool good = number != nullptr && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return good;
}

// Ed25519 and Ed448 keys hash by themselves.
const EVP_MD* DigestFor(EVP_PKEY* key) {
  const bool own = EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1;
  return own ? nullptr : EVP_sha256();
}

absl::Status SetDates(X509* leaf, const X509* issuer, std::chrono::seconds lifetime) {
  const std::time_t now = std::time(nullptr);
  const std::time_t issuer_end = std::chrono::system_clock::to_time_t(openssl::TimeOf(X509_get0_notAfter(issuer)));
  const std::time_t end = std::min(now + static_cast<std::time_t>(lifetime.count()), issuer_end);
  if (end <= now) {
    return FailedPrecondition("the certificate of the runners' issuer expired on ",
                              openssl::FormatTime(X509_get0_notAfter(issuer)),
                              ": issue a new one and restart the driver");
  }
  if (ASN1_TIME_set(X509_getm_notBefore(leaf), now - kClockSkewSeconds) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(leaf), end) == nullptr) {
    return Failed("setting a certificate's dates");
  }
  return absl::OkStatus();
}

absl::Status SetExtensions(X509* leaf, X509* issuer, const std::string& uri) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, leaf, nullptr, nullptr, 0);
  MR_RETURN_IF_ERROR(AddExtension(leaf, &context, NID_basic_constraints, "critical,CA:FALSE"));
  MR_RETURN_IF_ERROR(AddExtension(leaf, &context, NID_key_usage, "critical,digitalSignature"));
  MR_RETURN_IF_ERROR(AddExtension(leaf, &context, NID_ext_key_usage, "clientAuth,serverAuth"));
  MR_RETURN_IF_ERROR(AddExtension(leaf, &context, NID_subject_key_identifier, "hash"));
  MR_RETURN_IF_ERROR(AddExtension(leaf, &context, NID_authority_key_identifier, "keyid"));
  return AddExtension(leaf, &context, NID_subject_alt_name, Concat("URI:", uri));
}

absl::StatusOr<KeyPtr> RequestedKey(const std::string& csr_pem) {
  const CsrPtr csr = openssl::ParseCsr(csr_pem);
  if (!csr) return InvalidArgument("the certificate request is no PEM request (", openssl::LastOpensslError(), ")");
  KeyPtr key(X509_REQ_get_pubkey(csr.get()));
  if (!key || !IsP256(key.get())) return InvalidArgument("the certificate request's key is not an EC key on P-256");
  if (X509_REQ_verify(csr.get(), key.get()) != 1) {
    return InvalidArgument("the certificate request is not signed with its own key (", openssl::LastOpensslError(),
                           ")");
  }
  return key;
}

}  // namespace

absl::StatusOr<KeyAndCsr> MakeKeyAndCsr(const std::string& spiffe_uri) {
  MR_ASSIGN_OR_RETURN(const PeerName name, ParsePeerName(spiffe_uri));
  ERR_clear_error();
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CsrPtr csr(X509_REQ_new());
  if (!key || !csr || X509_REQ_set_pubkey(csr.get(), key.get()) != 1 ||
      !SetCommonName(X509_REQ_get_subject_name(csr.get()), name) ||
      X509_REQ_sign(csr.get(), key.get(), EVP_sha256()) <= 0) {
    return Failed("making a key and a certificate request");
  }
  const openssl::BioPtr key_text(BIO_new(BIO_s_mem()));
  const openssl::BioPtr csr_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509_REQ(csr_text.get(), csr.get()) != 1) {
    return Failed("writing a key and a certificate request");
  }
  return KeyAndCsr{openssl::TextOf(key_text.get()), openssl::TextOf(csr_text.get())};
}

absl::StatusOr<CertificateIssuer> LoadIssuer(const TlsFiles& files) {
  MR_ASSIGN_OR_RETURN(PemTriple pem, ReadPemFiles(files));
  MR_ASSIGN_OR_RETURN(const std::vector<CertPtr> chain, CheckKeyAndChain(pem));
  X509* issuer = chain.front().get();
  if (X509_check_ca(issuer) != 1 || (X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN) == 0) {
    return InvalidArgument(pem.cert_from,
                           ": it may not sign certificates: issue it with CA:true and keyUsage keyCertSign");
  }
  return CertificateIssuer{std::move(pem.key), std::move(pem.cert)};
}

absl::StatusOr<std::string> SignCsr(const CertificateIssuer& issuer, const std::string& csr_pem,
                                    const std::string& spiffe_uri, std::chrono::seconds lifetime) {
  MR_ASSIGN_OR_RETURN(const PeerName name, ParsePeerName(spiffe_uri));
  MR_ASSIGN_OR_RETURN(const KeyPtr subject_key, RequestedKey(csr_pem));
  const std::vector<CertPtr> chain = openssl::ParseCertificates(issuer.chain_pem);
  const KeyPtr signing_key = openssl::ParseKey(issuer.key_pem);
  if (chain.empty() || !signing_key || X509_check_private_key(chain.front().get(), signing_key.get()) != 1) {
    ERR_clear_error();
    return FailedPrecondition(
        "the runners' issuer cannot sign: its key and certificate are unreadable or do not match");
  }
  X509* parent = chain.front().get();
  const CertPtr leaf(X509_new());
  if (!leaf || X509_set_version(leaf.get(), X509_VERSION_3) != 1 || !SetSerial(leaf.get()) ||
      X509_set_issuer_name(leaf.get(), X509_get_subject_name(parent)) != 1 ||
      !SetCommonName(X509_get_subject_name(leaf.get()), name) || X509_set_pubkey(leaf.get(), subject_key.get()) != 1) {
    return Failed("making a certificate");
  }
  MR_RETURN_IF_ERROR(SetDates(leaf.get(), parent, lifetime));
  MR_RETURN_IF_ERROR(SetExtensions(leaf.get(), parent, name.Uri()));
  if (X509_sign(leaf.get(), signing_key.get(), DigestFor(signing_key.get())) <= 0)
    return Failed("signing a certificate");
  const openssl::BioPtr text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(text.get(), leaf.get()) != 1) return Failed("writing a certificate");
  for (const CertPtr& one : chain) {
    if (PEM_write_bio_X509(text.get(), one.get()) != 1) return Failed("writing a certificate");
  }
  return openssl::TextOf(text.get());
}

}  // namespace millrace
