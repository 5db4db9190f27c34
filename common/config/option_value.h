// One value of the option table: text in, checked value out. Only common/config includes this header. Thread-safe.
// InvalidArgument says what is wrong with the text; the caller puts the place and the key before it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/config/config.h"
#include "common/status.h"

namespace millrace {

using OptionValue = std::variant<std::string, bool, std::int64_t, double, std::vector<std::string>>;

// "a duration (500ms)", for messages and help.
std::string_view TypeName(OptionType type);

absl::StatusOr<OptionValue> ParseOptionValue(const OptionSpec& spec, std::string text);

}  // namespace millrace
