// What an S3 store says when it refuses: as a status that says what, where, why and what to do, and whether trying
// again can help. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/object_store/http.h"
#include "common/status.h"

namespace millrace {

struct S3Refusal {
  absl::Status status;
  std::string code;               // "NoSuchKey"; of an answer without a body after the HTTP code
  bool again = false;             // it is the store's passing trouble
  bool about_who_we_are = false;  // other credentials could help
};

// `what`: "put s3://bucket/key at https://…". `credentials`: where they come from, for people. `now_s`: the wall clock.
//
// NotFound for a key that is not there; AlreadyExists for a condition that did not hold; PermissionDenied; Unavailable
// for everything else, also for a bucket that is not there: it may come back.
S3Refusal ReadS3Refusal(const HttpReply& reply, std::string_view what, std::string_view credentials,
                        std::int64_t now_s);

}  // namespace millrace
