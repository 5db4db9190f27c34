#include "executor/state/checkpoint_store.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr std::size_t kMaxNameBytes = 512;

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool IsPart(std::string_view part) {
  return !part.empty() && part.front() != '.' && std::all_of(part.begin(), part.end(), IsNameByte);
}

}  // namespace

absl::Status CheckCheckpointName(std::string_view name) {
  bool good = name.size() <= kMaxNameBytes;
  for (std::size_t at = 0; good && at <= name.size();) {
    const std::size_t slash = std::min(name.find('/', at), name.size());
    good = IsPart(name.substr(at, slash - at));
    at = slash + 1;
  }
  if (good) return absl::OkStatus();
  return InvalidArgument("'", name.substr(0, kMaxNameBytes),
                         "' is no name for a checkpoint file: it must be parts of letters, digits, '.', '_' and '-', "
                         "none beginning with '.', joined by '/', at most ",
                         kMaxNameBytes, " bytes long");
}

}  // namespace millrace
