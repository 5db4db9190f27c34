#include "executor/connectors/options.h"

#include <array>
#include <charconv>
#include <vector>

#include "common/nearest.h"

namespace millrace {
namespace {

std::string Join(std::span<const std::string_view> words, std::string_view last_separator) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out.append(i + 1 == words.size() ? last_separator : ", ");
    out.append(words[i]);
  }
  return out;
}

}  // namespace

bool ParseNumber(std::string_view text, std::uint64_t& value) {
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  return !text.empty() && error == std::errc() && stop == end;
}

std::string OperatorName(std::string_view side, const engine::OperatorDescription& description) {
  const std::string name = !description.uid.empty()    ? description.uid
                           : !description.name.empty() ? description.name
                                                       : Concat("op", description.id);
  return Concat(side, " '", name, "' (", description.connector, ")");
}

OptionReader::OptionReader(std::string_view side, const engine::OperatorDescription& description,
                           std::span<const std::string_view> names, std::string_view open_prefix)
    : options_(description.options),
      names_(names),
      open_prefix_(open_prefix),
      where_(OperatorName(side, description)) {}

absl::Status OptionReader::CheckNames() const {
  for (const auto& [name, value] : options_) {
    if (!open_prefix_.empty() && name.starts_with(open_prefix_)) continue;
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
    const std::string hint = DidYouMean(name, names_);
    return InvalidArgument(where_, ": unknown option '", name, "' (value '", value, "')",
                           hint.empty() ? Concat("; it takes ", Join(names_, " and ")) : hint);
  }
  return absl::OkStatus();
}

const std::string* OptionReader::Find(std::string_view name) const {
  auto found = options_.find(std::string(name));
  return found == options_.end() ? nullptr : &found->second;
}

absl::StatusOr<std::string> OptionReader::Required(std::string_view name) const {
  const std::string* value = Find(name);
  if (value == nullptr) return InvalidArgument(where_, ": option ", name, " is missing; it has no default");
  if (value->empty()) return Bad(name, "must not be empty");
  return *value;
}

std::string OptionReader::Text(std::string_view name, std::string_view fallback) const {
  const std::string* value = Find(name);
  return value == nullptr ? std::string(fallback) : *value;
}

absl::StatusOr<std::uint64_t> OptionReader::Number(std::string_view name, std::uint64_t fallback, std::uint64_t min,
                                                   std::uint64_t max) const {
  const std::string* text = Find(name);
  if (text == nullptr) return fallback;
  std::uint64_t value = 0;
  if (!ParseNumber(*text, value)) {
    return Bad(name, "must be a whole number from ", min, " to ", max, ", not '", *text, "'");
  }
  if (value < min || value > max) {
    return Bad(name, "must be from ", min, " to ", max, ", not '", *text, "'; the nearest is ",
               value < min ? min : max);
  }
  return value;
}

absl::StatusOr<bool> OptionReader::Bool(std::string_view name, bool fallback) const {
  static constexpr std::array<std::string_view, 2> kWords = {"true", "false"};
  const std::string* text = Find(name);
  if (text == nullptr) return fallback;
  if (*text == "true") return true;
  if (*text == "false") return false;
  return Bad(name, "must be true or false, not '", *text, "'", DidYouMean(*text, kWords));
}

absl::StatusOr<std::string> OptionReader::Choice(std::string_view name,
                                                 std::span<const std::string_view> choices) const {
  const std::string* text = Find(name);
  if (text == nullptr) return std::string(choices.front());
  for (std::string_view choice : choices) {
    if (*text == choice) return *text;
  }
  return Bad(name, "must be ", Join(choices, " or "), ", not '", *text, "'", DidYouMean(*text, choices));
}

}  // namespace millrace
