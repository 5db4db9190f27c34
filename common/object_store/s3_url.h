// Addresses in S3: "s3://bucket/prefix", and how keys and query arguments are written in a URL.
//
//   MR_ASSIGN_OR_RETURN(const S3Url place, ParseS3Url("s3://state/millrace/prod"));   // {"state", "millrace/prod"}
//
// Values; thread-safe. InvalidArgument says what is wrong and shows the right form.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status.h"

namespace millrace {

struct S3Url {
  std::string bucket;
  std::string key;  // or prefix; without a '/' at its begin or end; may be empty
  bool operator==(const S3Url&) const = default;
};

inline bool IsS3Url(std::string_view text) { return text.starts_with("s3://"); }
absl::StatusOr<S3Url> ParseS3Url(std::string_view text);
std::string ToString(const S3Url& url);

// Everything but letters, digits and "-._~" as %XX; of keys '/' stays, too.
std::string EncodeS3Key(std::string_view key);
std::string EncodeS3Argument(std::string_view value);
// The way back, for listings; what is no escape stays as it is.
std::string DecodeS3Key(std::string_view text);

// "a=1&b=2", sorted by name as the signature needs it.
std::string S3Query(std::vector<std::pair<std::string, std::string>> arguments);

// "http://HOST[:PORT]" or "https://…", nothing behind it.
absl::Status CheckS3Endpoint(std::string_view endpoint);
bool IsLoopbackEndpoint(std::string_view endpoint);

}  // namespace millrace
