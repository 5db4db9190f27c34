// SHA-256, incrementally, and its two forms: 32 raw bytes (as on the wire) and 64 hexadecimal digits (as in file names
// and for people).
//
//   Sha256 hash;
//   hash.Update(chunk);
//   std::string raw = hash.Finish();
//
// One thread at a time. Failure of OpenSSL's digest is a bug or exhausted memory and ends the process.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace millrace {

inline constexpr std::size_t kSha256Bytes = 32;

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void Update(std::string_view data);
  // The raw digest. Once; nothing may be added afterwards.
  std::string Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Lower-case hexadecimal digits of any bytes.
std::string ToHex(std::string_view bytes);

}  // namespace millrace
