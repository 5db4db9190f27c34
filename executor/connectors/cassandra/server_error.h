// An ERROR frame of the server as a status, and what a client may do about it.
//
// Unavailable is what passes by itself (overloaded, too few replicas, timeouts, a node that starts): try again, slower.
// All else is wrong until somebody mends it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace millrace::cassandra {

enum class ErrorCode : std::int32_t {
  kServerError = 0x0000,
  kProtocolError = 0x000a,
  kBadCredentials = 0x0100,
  kUnavailable = 0x1000,
  kOverloaded = 0x1001,
  kBootstrapping = 0x1002,
  kTruncateError = 0x1003,
  kWriteTimeout = 0x1100,
  kReadTimeout = 0x1200,
  kReadFailure = 0x1300,
  kFunctionFailure = 0x1400,
  kWriteFailure = 0x1500,
  kSyntaxError = 0x2000,
  kUnauthorized = 0x2100,
  kInvalid = 0x2200,
  kConfigError = 0x2300,
  kAlreadyExists = 0x2400,
  kUnprepared = 0x2500,
};

struct ServerError {
  std::int32_t code = 0;
  std::string message;

  bool is(ErrorCode wanted) const { return code == static_cast<std::int32_t>(wanted); }
  // Passes by itself.
  bool transient() const;
  // Says that there is too much of us: the window of requests in flight must shrink.
  bool overload() const;
  // "127.0.0.1:9042: while writing rows: …: the server says '…'", with a remedy where one is known.
  absl::Status ToStatus(std::string_view server, std::string_view doing) const;
};

// The body of an ERROR frame. A body that is cut off gives what is there.
ServerError ParseServerError(std::string_view body);

}  // namespace millrace::cassandra
