#include "executor/connectors/kafka/fetch/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/status.h"

namespace millrace::kafka {
namespace {

constexpr int kMostIterations = 10'000'000;  // a server must not make us count for hours
constexpr std::size_t kNonceBytes = 24;

const EVP_MD* Digest(ScramHash hash) { return hash == ScramHash::kSha256 ? EVP_sha256() : EVP_sha512(); }

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string Hmac(ScramHash hash, std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  HMAC(Digest(hash), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(), out.data(), &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string Hash(ScramHash hash, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &size, Digest(hash), nullptr);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string SaltedPassword(ScramHash hash, std::string_view password, std::string_view salt, int iterations) {
  std::string out(static_cast<std::size_t>(EVP_MD_get_size(Digest(hash))), '\0');
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), Bytes(salt), static_cast<int>(salt.size()),
                    iterations, Digest(hash), static_cast<int>(out.size()),
                    reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

std::string ToBase64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), Bytes(bytes), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

bool FromBase64(std::string_view text, std::string& bytes) {
  if (text.size() % 4 != 0) return false;
  bytes.assign(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), Bytes(text), static_cast<int>(text.size()));
  if (size < 0) return false;
  const auto padding = static_cast<std::size_t>(text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0);
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return true;
}

// ',' and '=' have a meaning of their own in messages.
std::string EscapeName(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ',') {
      out += "=2C";
    } else if (c == '=') {
      out += "=3D";
    } else {
      out += c;
    }
  }
  return out;
}

// The value of an attribute "x=…" of a message; empty when it has none.
std::string_view Attribute(std::string_view message, char name) {
  while (!message.empty()) {
    const std::string_view part = message.substr(0, message.find(','));
    if (part.size() >= 2 && part[0] == name && part[1] == '=') return part.substr(2);
    message.remove_prefix(std::min(part.size() + 1, message.size()));
  }
  return {};
}

}  // namespace

std::string NewNonce() {
  std::array<unsigned char, kNonceBytes> bytes{};
  MR_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  return ToBase64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

ScramClient::ScramClient(ScramHash hash, std::string_view user, std::string password, std::string nonce)
    : hash_(hash),
      password_(std::move(password)),
      nonce_(std::move(nonce)),
      first_bare_(Concat("n=", EscapeName(user), ",r=", nonce_)) {}

std::string ScramClient::First() const { return "n,," + first_bare_; }

absl::StatusOr<std::string> ScramClient::Final(std::string_view server_first) {
  const std::string_view nonce = Attribute(server_first, 'r');
  const std::string_view count = Attribute(server_first, 'i');
  std::string salt;
  int iterations = 0;
  const bool counted = std::from_chars(count.data(), count.data() + count.size(), iterations).ec == std::errc();
  if (!FromBase64(Attribute(server_first, 's'), salt) || salt.empty() || !counted || iterations < 1 ||
      iterations > kMostIterations || !nonce.starts_with(nonce_) || nonce.size() == nonce_.size()) {
    return DataLoss("the broker's answer is no message of SCRAM");
  }
  const std::string salted = SaltedPassword(hash_, password_, salt, iterations);
  const std::string client_key = Hmac(hash_, salted, "Client Key");
  const std::string without_proof = Concat("c=biws,r=", nonce);
  const std::string all = Concat(first_bare_, ",", server_first, ",", without_proof);
  std::string proof = Hmac(hash_, Hash(hash_, client_key), all);
  for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ client_key[i]);
  server_signature_ = Hmac(hash_, Hmac(hash_, salted, "Server Key"), all);
  return Concat(without_proof, ",p=", ToBase64(proof));
}

absl::Status ScramClient::Verify(std::string_view server_final) const {
  std::string signature;
  if (FromBase64(Attribute(server_final, 'v'), signature) && signature.size() == server_signature_.size() &&
      CRYPTO_memcmp(signature.data(), server_signature_.data(), signature.size()) == 0) {
    return absl::OkStatus();
  }
  return PermissionDenied("the broker does not show that it knows the password; is it the one it should be?");
}

}  // namespace millrace::kafka
