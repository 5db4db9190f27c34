#include "common/net/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <cstdio>
#include <ctime>

namespace millrace::openssl {
namespace {

int NoPassword(char*, int, int, void*) { return 0; }

std::tm TmOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) parts = {};
  return parts;
}

}  // namespace

std::string LastOpensslError() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

BioPtr BioOf(std::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size <= 0 ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

KeyPtr ParseKey(std::string_view pem) {
  ERR_clear_error();
  return KeyPtr(PEM_read_bio_PrivateKey(BioOf(pem).get(), nullptr, NoPassword, nullptr));
}

CsrPtr ParseCsr(std::string_view pem) {
  ERR_clear_error();
  return CsrPtr(PEM_read_bio_X509_REQ(BioOf(pem).get(), nullptr, NoPassword, nullptr));
}

std::vector<CertPtr> ParseCertificates(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio = BioOf(pem);
  std::vector<CertPtr> certificates;
  while (CertPtr one{PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)})
    certificates.push_back(std::move(one));
  // "No start line" is the ordinary end of the file; anything else is a damaged certificate after good ones.
  const unsigned long error = ERR_peek_last_error();
  if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE) {
    if (!certificates.empty()) ERR_clear_error();
    return certificates;
  }
  return {};
}

std::vector<std::string> UriNames(const X509* certificate) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> uris;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      static_cast<std::size_t>(ASN1_STRING_length(uri)));
  }
  return uris;
}

std::string SubjectOf(const X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  return TextOf(bio.get());
}

std::chrono::system_clock::time_point TimeOf(const ASN1_TIME* time) {
  std::tm parts = TmOf(time);
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

std::string FormatTime(const ASN1_TIME* time) {
  const std::tm parts = TmOf(time);
  char text[40];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts));
}

}  // namespace millrace::openssl
