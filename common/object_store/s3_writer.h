// Writes one object of any length: small ones in one piece, long ones in parts of 8 MiB while they are written. It
// appears under its key at Commit, complete, or not at all.
//
//   S3Writer writer(*s3, {"bucket", "key"}, S3Put::kOnlyNew);
//   MR_RETURN_IF_ERROR(writer.Append(data));
//   MR_RETURN_IF_ERROR(writer.Commit());
//
// One thread at a time. The client outlives it. Destroyed before Commit has returned OK, it takes back what is there of
// the object; what a process that died has left is an upload in the store's list of uploads, and never seen. Errors are
// the client's, and ResourceExhausted for an object longer than 10,000 parts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/object_store/s3_client.h"

namespace millrace {

inline constexpr std::size_t kS3PartBytes = std::size_t{8} << 20;

class S3Writer {
 public:
  S3Writer(S3Client& client, S3Url object, S3Put how);
  ~S3Writer();
  S3Writer(const S3Writer&) = delete;
  S3Writer& operator=(const S3Writer&) = delete;

  // An error ends the writer.
  absl::Status Append(std::string_view data);
  // Once.
  absl::Status Commit();

 private:
  absl::Status SendPart();
  absl::Status Publish();
  absl::Status End(absl::Status why);
  void Abort();

  S3Client& client_;
  const S3Url object_;
  const S3Put how_;
  std::string token_;
  std::string part_;               // not sent yet
  std::string upload_;             // empty: none begun
  std::vector<std::string> tags_;  // of the parts that are sent
  absl::Status ended_;
};

}  // namespace millrace
