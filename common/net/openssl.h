// OpenSSL's objects with owners, and the few things of it that identities need. Only common/net includes this header.
// Errors: a parser returns null or an empty vector; LastOpensslError() then says why and empties OpenSSL's queue for
// this thread.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::openssl {

template <auto kFree>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
inline void FreeNames(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }
inline void FreeStackOnly(STACK_OF(X509) * stack) { sk_X509_free(stack); }

using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, Freer<X509_free>>;
using CsrPtr = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<FreeNames>>;
using StorePtr = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>>;
using StackPtr = std::unique_ptr<STACK_OF(X509), Freer<FreeStackOnly>>;  // does not own the certificates

// "no start line", or "unknown error".
std::string LastOpensslError();

BioPtr BioOf(std::string_view text);
std::string TextOf(BIO* bio);

// Never asks for a password: an encrypted key is null.
KeyPtr ParseKey(std::string_view pem);
CsrPtr ParseCsr(std::string_view pem);
// All certificates of a PEM text, in order. Empty when there is none or one of them is broken.
std::vector<CertPtr> ParseCertificates(std::string_view pem);

// The URIs of the subject alternative name.
std::vector<std::string> UriNames(const X509* certificate);
// "CN = Millrace dev CA", for messages.
std::string SubjectOf(const X509* certificate);

std::chrono::system_clock::time_point TimeOf(const ASN1_TIME* time);
// "2026-01-31 12:00:00 UTC".
std::string FormatTime(const ASN1_TIME* time);

}  // namespace millrace::openssl
