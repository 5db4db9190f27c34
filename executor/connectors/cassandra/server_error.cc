#include "executor/connectors/cassandra/server_error.h"

#include <algorithm>
#include <array>

#include "common/status.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

using Code = absl::StatusCode;

struct Meaning {
  ErrorCode code;
  Code status;
  bool overload;
  std::string_view what;
  std::string_view remedy;
};

constexpr std::array<Meaning, 18> kMeanings = {{
    {ErrorCode::kServerError, Code::kUnavailable, false, "an error inside the server", "look into the server's log"},
    {ErrorCode::kProtocolError, Code::kInternal, false, "a violation of the protocol",
     "the server must speak version 4 of the native protocol: Cassandra 2.2 or newer"},
    {ErrorCode::kBadCredentials, Code::kPermissionDenied, false, "the server refuses user name or password",
     "check the options username and password_file"},
    {ErrorCode::kUnavailable, Code::kUnavailable, false, "too few replicas are alive for this consistency",
     "bring the replicas up, or lower the option consistency"},
    {ErrorCode::kOverloaded, Code::kUnavailable, true, "the server is overloaded", "fewer requests are sent now"},
    {ErrorCode::kBootstrapping, Code::kUnavailable, false, "the node is still starting", "wait"},
    {ErrorCode::kTruncateError, Code::kUnavailable, false, "a table could not be truncated",
     "look into the server's log"},
    {ErrorCode::kWriteTimeout, Code::kUnavailable, true, "too few replicas answered a write in time",
     "fewer requests are sent now"},
    {ErrorCode::kReadTimeout, Code::kUnavailable, true, "too few replicas answered a read in time",
     "fewer requests are sent now"},
    {ErrorCode::kReadFailure, Code::kUnavailable, false, "a replica failed to read", "look into the replica's log"},
    {ErrorCode::kFunctionFailure, Code::kInvalidArgument, false, "a function of the server failed", "look at it"},
    {ErrorCode::kWriteFailure, Code::kUnavailable, false, "a replica failed to write",
     "look into the replica's log; is its disk full?"},
    {ErrorCode::kSyntaxError, Code::kInvalidArgument, false, "the server does not understand the statement",
     "does the server support it?"},
    {ErrorCode::kUnauthorized, Code::kPermissionDenied, false, "the user may not do this", "GRANT it to the user"},
    {ErrorCode::kInvalid, Code::kInvalidArgument, false, "the server refuses the statement",
     "compare the options and the rows with the table"},
    {ErrorCode::kConfigError, Code::kInvalidArgument, false, "the server's configuration does not allow it",
     "change it"},
    {ErrorCode::kAlreadyExists, Code::kAlreadyExists, false, "it exists already", "take another name"},
    {ErrorCode::kUnprepared, Code::kUnavailable, false, "the server has forgotten a prepared statement",
     "it is prepared again"},
}};

// Roles are tables too: when their replicas are away, the server refuses as if the password were wrong.
constexpr Meaning kNoRoles = {ErrorCode::kUnavailable, Code::kUnavailable, false,
                              "the server cannot read its roles now",
                              "bring up the replicas of the keyspace system_auth"};

const Meaning* MeaningOf(std::int32_t code, std::string_view message) {
  const bool refusal = code == static_cast<std::int32_t>(ErrorCode::kBadCredentials) ||
                       code == static_cast<std::int32_t>(ErrorCode::kUnauthorized);
  if (refusal && message.find("Unable to perform auth") != std::string_view::npos) return &kNoRoles;
  const auto* at = std::find_if(kMeanings.begin(), kMeanings.end(),
                                [code](const Meaning& m) { return static_cast<std::int32_t>(m.code) == code; });
  return at == kMeanings.end() ? nullptr : at;
}

}  // namespace

bool ServerError::transient() const {
  const Meaning* meaning = MeaningOf(code, message);
  return meaning != nullptr && meaning->status == Code::kUnavailable;
}

bool ServerError::overload() const {
  const Meaning* meaning = MeaningOf(code, message);
  return meaning != nullptr && meaning->overload;
}

absl::Status ServerError::ToStatus(std::string_view server, std::string_view doing) const {
  const Meaning* meaning = MeaningOf(code, message);
  if (meaning == nullptr) {
    return Internal("cassandra ", server, ": ", doing, ": unknown error ", code, ": the server says '", message, "'");
  }
  return MakeStatus(meaning->status, Concat("cassandra ", server, ": ", doing, ": ", meaning->what,
                                            ": the server says '", message, "'; ", meaning->remedy));
}

ServerError ParseServerError(std::string_view body) {
  WireReader in(body);
  ServerError error;
  error.code = in.Int();
  error.message = in.String();
  if (in.failed() && error.message.empty()) error.message = "an error that is cut off";
  return error;
}

}  // namespace millrace::cassandra
