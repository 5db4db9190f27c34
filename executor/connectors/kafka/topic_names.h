// Topic names out of options, checked against Kafka's own rules: 1 to 249 of a-z A-Z 0-9 . _ - and neither "." nor
// "..".
//
// Pure functions, any thread. Errors are InvalidArgument and name the operator, the option and the name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/options.h"

namespace millrace::kafka {

// InvalidArgument naming the option when `name` cannot be a topic.
absl::Status CheckTopic(const OptionReader& reader, std::string_view option, std::string_view name);

// A comma-separated list; blanks around a name are dropped, a name twice is refused.
absl::StatusOr<std::vector<std::string>> ParseTopics(const OptionReader& reader, std::string_view option);

}  // namespace millrace::kafka
