// Who we are to an S3 store. From a file, if one is named, else from the environment: AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY and, for temporary ones, AWS_SESSION_TOKEN.
//
// The file is one like ~/.aws/credentials: lines "aws_access_key_id = …", "aws_secret_access_key = …",
// "aws_session_token = …", under "[default]" or no section at all. Others than its owner must not be able to write it.
//
//   MR_ASSIGN_OR_RETURN(const S3Credentials who, LoadS3Credentials("/etc/millrace/s3"));
//
// Thread-safe, as far as nobody changes the environment. Errors name the file or the variables and what to do:
// FailedPrecondition when there are none, InvalidArgument, PermissionDenied, NotFound. No message holds a secret.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace millrace {

struct S3Credentials {
  std::string key_id;
  std::string secret;
  std::string session_token;  // may be empty
  bool operator==(const S3Credentials&) const = default;
};

// `file` may be empty.
absl::StatusOr<S3Credentials> LoadS3Credentials(const std::string& file);

// Only the text of such a file; `from` is for messages.
absl::StatusOr<S3Credentials> ParseS3Credentials(std::string_view text, std::string_view from);

}  // namespace millrace
