#include "common/net/identity_checks.h"

#include <openssl/err.h>

#include <ctime>

namespace millrace {
namespace {

using openssl::CertPtr;

absl::Status CheckDates(const X509* certificate, const std::string& where) {
  std::time_t now = std::time(nullptr);
  if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0) {
    return FailedPrecondition(where, ": it expired on ", openssl::FormatTime(X509_get0_notAfter(certificate)),
                              ": issue a new one (or set the clock, if that is wrong)");
  }
  if (X509_cmp_time(X509_get0_notBefore(certificate), &now) > 0) {
    return FailedPrecondition(where, ": it is not valid before ", openssl::FormatTime(X509_get0_notBefore(certificate)),
                              ": wait until then, or set this machine's clock, which says ", [&] {
                                char text[40];
                                std::tm parts{};
                                gmtime_r(&now, &parts);
                                return std::string(text,
                                                   std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts));
                              }());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CertPtr>> Parse(const std::string& pem, const std::string& where) {
  std::vector<CertPtr> certificates = openssl::ParseCertificates(pem);
  if (certificates.empty()) {
    return InvalidArgument(where, ": it holds no readable PEM certificate (", openssl::LastOpensslError(),
                           "): it must hold blocks of -----BEGIN CERTIFICATE-----");
  }
  return certificates;
}

absl::Status CheckKey(const PemTriple& pem, const X509* leaf) {
  const openssl::KeyPtr key = openssl::ParseKey(pem.key);
  if (!key) {
    return InvalidArgument(pem.key_from, ": it holds no readable PEM private key (", openssl::LastOpensslError(),
                           "): it must be PEM and without a password");
  }
  if (X509_check_private_key(leaf, key.get()) == 1) return absl::OkStatus();
  ERR_clear_error();
  return InvalidArgument(pem.key_from, " is not the key of ", pem.cert_from,
                         ": give the two files that were made together");
}

// The same flags as gRPC's: any certificate of the CA file is trusted, whether it is self-signed or not.
absl::Status CheckChain(const std::vector<CertPtr>& chain, const std::vector<CertPtr>& trusted, const PemTriple& pem) {
  const openssl::StorePtr store(X509_STORE_new());
  for (const CertPtr& certificate : trusted) X509_STORE_add_cert(store.get(), certificate.get());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  const openssl::StackPtr between(sk_X509_new_null());
  for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(between.get(), chain[i].get());
  const openssl::StoreContextPtr context(X509_STORE_CTX_new());
  MR_CHECK(X509_STORE_CTX_init(context.get(), store.get(), chain.front().get(), between.get()) == 1);
  if (X509_verify_cert(context.get()) == 1) return absl::OkStatus();
  ERR_clear_error();
  const int error = X509_STORE_CTX_get_error(context.get());
  const X509* culprit = X509_STORE_CTX_get_current_cert(context.get());
  const std::string who = culprit == nullptr ? std::string("?") : openssl::SubjectOf(culprit);
  if (culprit != nullptr) MR_RETURN_IF_ERROR(CheckDates(culprit, Concat(pem.cert_from, ", in its chain '", who, "'")));
  return InvalidArgument(
      pem.ca_from, " does not vouch for ", pem.cert_from, " ('", who, "': ", X509_verify_cert_error_string(error),
      "): give the CA that issued it, and put intermediate certificates behind the leaf in the same file");
}

}  // namespace

absl::StatusOr<std::vector<CertPtr>> CheckKeyAndChain(const PemTriple& pem) {
  MR_ASSIGN_OR_RETURN(const std::vector<CertPtr> trusted, Parse(pem.ca, pem.ca_from));
  MR_ASSIGN_OR_RETURN(std::vector<CertPtr> chain, Parse(pem.cert, pem.cert_from));
  MR_RETURN_IF_ERROR(CheckKey(pem, chain.front().get()));
  MR_RETURN_IF_ERROR(CheckDates(chain.front().get(), pem.cert_from));
  MR_RETURN_IF_ERROR(CheckChain(chain, trusted, pem));
  return chain;
}

}  // namespace millrace
