#include "executor/local/local_options.h"

#include <charconv>
#include <string_view>

#include "common/config/units.h"
#include "common/status.h"

namespace millrace {
namespace {

absl::StatusOr<std::int64_t> ParseNumber(std::string_view word, std::string_view option) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < 0)
    return InvalidArgument(option, " needs a number, not '", word, "'");
  return value;
}

absl::Status TakeOption(std::string_view option, const std::string& value, LocalOptions* out) {
  if (option == "--name") {
    out->name = value;
  } else if (option == "--arg") {
    const std::size_t equals = value.find('=');
    if (equals == 0 || equals == std::string::npos) return InvalidArgument("--arg needs key=value, not '", value, "'");
    out->arguments[value.substr(0, equals)] = value.substr(equals + 1);
  } else if (option == "--batch-interval") {
    MR_ASSIGN_OR_RETURN(const std::int64_t us, ParseDuration(value));
    out->batch_interval_us = static_cast<std::uint64_t>(us);
  } else if (option == "--seconds") {
    MR_ASSIGN_OR_RETURN(out->seconds, ParseNumber(value, option));
  } else if (option == "--slots") {
    MR_ASSIGN_OR_RETURN(const std::int64_t slots, ParseNumber(value, option));
    out->slots = static_cast<std::uint32_t>(slots);
  } else {
    return InvalidArgument("'", option, "' is not understood");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LocalOptions> ParseLocalOptions(int argc, char** argv) {
  LocalOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (!word.starts_with("-") && options.job_library.empty()) {
      options.job_library = word;
      continue;
    }
    if (i + 1 >= argc) return InvalidArgument("'", word, "' is not understood, or lacks its value");
    MR_RETURN_IF_ERROR(TakeOption(word, argv[++i], &options));
  }
  if (options.job_library.empty()) {
    return InvalidArgument(
        "usage: millrace local LIBRARY.so [--arg key=value]... [--seconds N] [--batch-interval 100ms] [--slots N]");
  }
  return options;
}

}  // namespace millrace
