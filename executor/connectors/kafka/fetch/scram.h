// SCRAM, by which a client shows that it knows a password without saying it, and the server that it knew it too.
//
//   ScramClient scram(ScramHash::kSha256, "user", "pencil", nonce);
//   Send(scram.First());
//   MR_ASSIGN_OR_RETURN(std::string proof, scram.Final(Receive()));
//   Send(proof);
//   MR_RETURN_IF_ERROR(scram.Verify(Receive()));
//
// One thread; one exchange. Errors: PermissionDenied for a server that does not know the password either, DataLoss for
// a message that is none. Source: RFC 5802 and RFC 7677, without channel binding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace::kafka {

enum class ScramHash : std::uint8_t { kSha256, kSha512 };

class ScramClient {
 public:
  // `nonce`: printable text without commas that nobody used before.
  ScramClient(ScramHash hash, std::string_view user, std::string password, std::string nonce);

  std::string First() const;
  absl::StatusOr<std::string> Final(std::string_view server_first);
  absl::Status Verify(std::string_view server_final) const;

 private:
  const ScramHash hash_;
  const std::string password_;
  const std::string nonce_;
  const std::string first_bare_;  // the first message without its header
  std::string server_signature_;
};

// Text of so many random bytes.
std::string NewNonce();

}  // namespace millrace::kafka
