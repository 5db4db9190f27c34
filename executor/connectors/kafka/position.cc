#include "executor/connectors/kafka/position.h"

#include "common/status.h"
#include "executor/connectors/options.h"

namespace millrace::kafka {
namespace {

constexpr char kSkipped = '~';
constexpr char kBeforeEnd = '/';

bool ParseOffset(std::string_view text, std::int64_t& offset) {
  std::uint64_t value = 0;
  if (!ParseNumber(text, value) || value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return false;
  }
  offset = static_cast<std::int64_t>(value);
  return true;
}

}  // namespace

std::string Position::Text() const {
  std::string text = std::to_string(offset);
  if (end != kNoEnd) text += Concat(kBeforeEnd, end);
  if (skipped) text += kSkipped;
  return text;
}

absl::StatusOr<Position> ParsePosition(std::string_view name, std::string_view text) {
  Position position;
  std::string_view rest = text;
  if (rest.ends_with(kSkipped)) {
    position.skipped = true;
    rest.remove_suffix(1);
  }
  const std::size_t slash = rest.find(kBeforeEnd);
  const bool bounded = slash != std::string_view::npos;
  if (!ParseOffset(rest.substr(0, slash), position.offset) ||
      (bounded && !ParseOffset(rest.substr(slash + 1), position.end))) {
    return InvalidArgument("kafka ", name, ": position '", text, "' is not an offset");
  }
  return position;
}

}  // namespace millrace::kafka
