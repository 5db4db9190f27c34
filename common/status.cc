#include "common/status.h"

#include <cerrno>
#include <system_error>

namespace millrace {

absl::Status ErrnoStatus(int error, std::string_view what) {
  const std::string message = Concat(what, ": ", std::generic_category().message(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ResourceExhausted(message);
    case ENOENT:
      return NotFound(message);
    case EEXIST:
      return AlreadyExists(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return PermissionDenied(message);
    default:
      return Unavailable(message);
  }
}

}  // namespace millrace
