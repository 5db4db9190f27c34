// Errors. What the world does wrong is an absl::Status; what we did wrong is a CHECK. Debian builds Abseil with a
// string_view of its own, so messages are put together here from anything an ostream-free StrCat of ours takes, and
// nowhere else.
//
//   return InvalidArgument("option ", name, " must be a number, not '", value, "'");
//   MR_ASSIGN_OR_RETURN(auto file, OpenFile(path));
//   MR_RETURN_IF_ERROR(file.Sync());
#pragma once

#include <charconv>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace {

namespace internal {
inline void Append(std::string& out, std::string_view text) { out.append(text); }
template <std::same_as<bool> T>
void Append(std::string& out, T value) {
  out.append(value ? "true" : "false");
}
template <class T>
requires(std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>) void Append(std::string& out, T value) {
  char digits[24];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}
template <std::same_as<char> T>
void Append(std::string& out, T value) {
  out.push_back(value);
}
inline void Append(std::string& out, double value) {
  char digits[40];
  std::snprintf(digits, sizeof digits, "%g", value);
  out.append(digits);
}
}  // namespace internal

template <class... Parts>
std::string Concat(const Parts&... parts) {
  std::string out;
  (internal::Append(out, parts), ...);
  return out;
}

inline absl::Status MakeStatus(absl::StatusCode code, std::string_view message) {
  return absl::Status(code, absl::string_view(message.data(), message.size()));
}
inline std::string Message(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

#define MR_ERROR_MAKER(Name, kCode)                               \
  template <class... Parts>                                       \
  absl::Status Name(const Parts&... parts) {                      \
    return MakeStatus(absl::StatusCode::kCode, Concat(parts...)); \
  }
MR_ERROR_MAKER(InvalidArgument, kInvalidArgument)
MR_ERROR_MAKER(NotFound, kNotFound)
MR_ERROR_MAKER(AlreadyExists, kAlreadyExists)
MR_ERROR_MAKER(FailedPrecondition, kFailedPrecondition)
MR_ERROR_MAKER(PermissionDenied, kPermissionDenied)
MR_ERROR_MAKER(ResourceExhausted, kResourceExhausted)
MR_ERROR_MAKER(Unavailable, kUnavailable)
MR_ERROR_MAKER(DataLoss, kDataLoss)
MR_ERROR_MAKER(Aborted, kAborted)
MR_ERROR_MAKER(Internal, kInternal)
#undef MR_ERROR_MAKER

// The same error with a context before its message: "reading /etc/x: No such file".
template <class... Parts>
absl::Status Annotate(const absl::Status& status, const Parts&... parts) {
  return status.ok() ? status : MakeStatus(status.code(), Concat(parts..., ": ", Message(status)));
}

// The status for an errno: ENOSPC becomes ResourceExhausted, ENOENT NotFound, EACCES PermissionDenied, others
// Unavailable.
absl::Status ErrnoStatus(int error, std::string_view what);

}  // namespace millrace

#define MR_CONCAT_(a, b) a##b
#define MR_CONCAT(a, b) MR_CONCAT_(a, b)
#define MR_RETURN_IF_ERROR(expression)                                            \
  do {                                                                            \
    if (absl::Status mr_status = (expression); !mr_status.ok()) return mr_status; \
  } while (false)
#define MR_ASSIGN_OR_RETURN(target, expression) MR_ASSIGN_OR_RETURN_(MR_CONCAT(mr_value_, __LINE__), target, expression)
#define MR_ASSIGN_OR_RETURN_(temporary, target, expression) \
  auto temporary = (expression);                            \
  if (!temporary.ok()) return temporary.status();           \
  target = std::move(*temporary)

// A condition that only a bug can break. On in every build: a wrong answer is worse than a stopped daemon.
#define MR_CHECK(condition)                                                              \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
