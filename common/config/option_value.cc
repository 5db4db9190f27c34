#include "common/config/option_value.h"

#include <charconv>

#include "common/nearest.h"

namespace millrace {
namespace {

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// How a bound is written in messages: as its option's values are.
std::string BoundText(const OptionSpec& spec, std::int64_t bound) {
  if (spec.type == OptionType::kDuration) return FormatDuration(bound);
  if (spec.type == OptionType::kSize) return FormatSize(bound);
  return spec.unit.empty() ? Concat(bound) : Concat(bound, " ", spec.unit);
}

template <class T>
absl::Status CheckBounds(const OptionSpec& spec, T value, std::string_view text) {
  if (value < static_cast<T>(spec.min)) {
    return InvalidArgument("'", text, "' is too small: at least ", BoundText(spec, spec.min), " is needed");
  }
  if (value > static_cast<T>(spec.max)) {
    return InvalidArgument("'", text, "' is too large: at most ", BoundText(spec, spec.max), " is allowed");
  }
  return absl::OkStatus();
}

template <class T>
absl::StatusOr<OptionValue> ParseNumber(const OptionSpec& spec, const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value != value) {
    return InvalidArgument("'", text.substr(0, 100), "' is not ", TypeName(spec.type));
  }
  MR_RETURN_IF_ERROR(CheckBounds(spec, value, text));
  return OptionValue(value);
}

absl::StatusOr<OptionValue> ParseString(const OptionSpec& spec, std::string text) {
  if (spec.choices.empty()) return OptionValue(std::move(text));
  const std::vector<std::string_view> choices = Split(spec.choices, '|');
  std::string list;
  for (std::string_view choice : choices) {
    if (choice == text) return OptionValue(std::move(text));
    list += Concat(list.empty() ? "" : ", ", choice);
  }
  const std::string hint = DidYouMean(text, choices);
  return InvalidArgument("'", text.substr(0, 100), "' is none of ", list, hint);
}

absl::StatusOr<OptionValue> ParseQuantity(const OptionSpec& spec, const std::string& text) {
  MR_ASSIGN_OR_RETURN(const std::int64_t value,
                      spec.type == OptionType::kDuration ? ParseDuration(text) : ParseSize(text));
  MR_RETURN_IF_ERROR(CheckBounds(spec, value, text));
  return OptionValue(value);
}

absl::StatusOr<OptionValue> ParseBool(const std::string& text) {
  if (text == "true") return OptionValue(true);
  if (text == "false") return OptionValue(false);
  return InvalidArgument("'", text.substr(0, 100), "' is neither true nor false");
}

}  // namespace

std::string_view TypeName(OptionType type) {
  switch (type) {
    case OptionType::kString:
      return "text";
    case OptionType::kBool:
      return "true or false";
    case OptionType::kInteger:
      return "a whole number";
    case OptionType::kNumber:
      return "a number";
    case OptionType::kDuration:
      return "a duration (500ms)";
    case OptionType::kSize:
      return "a size (64MiB)";
    case OptionType::kList:
      return "a list";
  }
  return "?";
}

absl::StatusOr<OptionValue> ParseOptionValue(const OptionSpec& spec, std::string text) {
  switch (spec.type) {
    case OptionType::kString:
      return ParseString(spec, std::move(text));
    case OptionType::kBool:
      return ParseBool(text);
    case OptionType::kInteger:
      return ParseNumber<std::int64_t>(spec, text);
    case OptionType::kNumber:
      return ParseNumber<double>(spec, text);
    case OptionType::kDuration:
    case OptionType::kSize:
      return ParseQuantity(spec, text);
    case OptionType::kList:
      break;
  }
  const std::vector<std::string_view> parts = Split(text, ',');
  return OptionValue(std::vector<std::string>(parts.begin(), parts.end()));
}

}  // namespace millrace
