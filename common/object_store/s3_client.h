// A small client for S3 and stores that speak its protocol: whole objects, pieces of them, uploads in parts, listings.
//
//   MR_ASSIGN_OR_RETURN(auto s3, S3Client::Make({.endpoint = "https://s3.example.com", .region = "eu-1"}));
//   MR_RETURN_IF_ERROR(s3->Put({"bucket", "a/key"}, data, S3Put::kOnlyNew));
//   MR_ASSIGN_OR_RETURN(const S3Piece piece, s3->Get({"bucket", "a/key"}, 0, 1 << 20));
//
// Every call is tried again, with waits that grow and are scattered, while the store's trouble may pass; it ends after
// a bounded time. What was done by an attempt whose answer was lost is recognised. Uploaded bytes carry their SHA-256,
// which the store checks; it is kept with objects put in one piece and checked when they are read in one.
//
// Thread-safe; calls block, side by side. Errors: what, where, why and what to do. NotFound: no such object;
// AlreadyExists: kOnlyNew, and there is one; PermissionDenied: credentials (a file is read again first); DataLoss: the
// bytes are not those that were put; ResourceExhausted: no room; Unavailable: all else, and no such bucket.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/object_store/http.h"
#include "common/object_store/s3_credentials.h"
#include "common/object_store/s3_url.h"
#include "common/status.h"

namespace millrace {

struct S3Options {
  std::string endpoint;  // "https://HOST[:PORT]"; empty: Amazon's of the region
  std::string region = "us-east-1";
  std::string credentials_file;  // empty: the environment
  HttpOptions http;
  int attempts = 6;
  std::int64_t first_wait_ms = 100;  // doubles, up to the longest; half of it is left to chance
  std::int64_t longest_wait_ms = 5'000;
};

struct S3Piece {
  std::string data;
  std::uint64_t object_bytes = 0;
  std::string etag = {};  // of the object, with its quotes; empty for what lies behind its end
};

struct S3Object {
  std::string key;
  std::uint64_t bytes = 0;
  std::string etag = {};  // with its quotes
};

struct S3PendingUpload {
  std::string key;
  std::string id;
  std::string begun;  // ISO 8601, UTC, so that texts compare as times
};

enum class S3Put { kOnlyNew, kReplace };

// Text that nobody has twice.
std::string NewS3Token();

class S3Client {
 public:
  // Looks at the options and the credentials, and sends nothing.
  static absl::StatusOr<std::unique_ptr<S3Client>> Make(S3Options options);

  // At most `length` bytes from `offset`, none behind the end.
  absl::StatusOr<S3Piece> Get(const S3Url& object, std::uint64_t offset, std::size_t length);
  absl::Status Put(const S3Url& object, std::string_view data, S3Put how);
  // What is not there is no error.
  absl::Status Delete(const S3Url& object);
  // All whose keys begin with the prefix, in the order of keys.
  absl::StatusOr<std::vector<S3Object>> List(const std::string& bucket, const std::string& prefix);

  // An upload in parts: numbers from 1 to 10,000, each but the last of at least 5 MiB. Nothing is seen before it is
  // complete. `token`: any text that no other upload has; it tells ours from another's.
  absl::StatusOr<std::string> BeginUpload(const S3Url& object, const std::string& token);
  // Gives the part's tag.
  absl::StatusOr<std::string> PutPart(const S3Url& object, const std::string& upload, int number,
                                      std::string_view data);
  absl::Status CompleteUpload(const S3Url& object, const std::string& upload, const std::vector<std::string>& tags,
                              const std::string& token, S3Put how);
  // One that is not there is no error.
  absl::Status AbortUpload(const S3Url& object, const std::string& upload);
  absl::StatusOr<std::vector<S3PendingUpload>> ListUploads(const std::string& bucket, const std::string& prefix);

  const std::string& endpoint() const { return options_.endpoint; }

 private:
  // One call as its attempts see it.
  struct Call {
    std::string_view verb;  // "put", for messages
    const char* method;
    const S3Url& object;
    std::vector<std::pair<std::string, std::string>> query = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string_view body = {};
    std::size_t reply_max = std::size_t{8} << 20;
  };
  struct Answer {
    absl::StatusOr<HttpReply> reply;
    std::string code;       // of a refusal
    bool repeated = false;  // an attempt before may have been done, too
  };

  explicit S3Client(S3Options options, S3Credentials credentials);
  Answer Send(const Call& call);
  std::string What(const Call& call) const;
  S3Credentials credentials() const;
  bool ReloadCredentials(const S3Credentials& refused);
  // Whether the object is the one put with this token.
  bool IsOurs(const S3Url& object, const std::string& token);
  // Every page of a listing. `next`: arguments of the next page from this one, none at the end.
  using Arguments = std::vector<std::pair<std::string, std::string>>;
  absl::Status Pages(const S3Url& place, Arguments first,
                     const std::function<absl::StatusOr<Arguments>(std::string_view body)>& take);

  const S3Options options_;
  Http http_;
  mutable std::mutex mutex_;
  S3Credentials credentials_;  // guarded by mutex_
};

}  // namespace millrace
