// Names of the files sink's files: "<prefix><batch, at least 12 digits><suffix>". Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "executor/connectors/options.h"

namespace millrace {

inline constexpr std::size_t kBatchDigits = 12;

inline std::string BatchDigits(std::uint64_t batch) {
  const std::string digits = std::to_string(batch);
  return digits.size() >= kBatchDigits ? digits : std::string(kBatchDigits - digits.size(), '0') + digits;
}

inline bool BeginsWithBatch(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && name.size() >= prefix.size() + kBatchDigits &&
         name.substr(prefix.size(), kBatchDigits).find_first_not_of("0123456789") == std::string_view::npos;
}

// The batch of a file; 0: the name is none of this prefix and suffix.
inline std::uint64_t BatchOf(std::string_view name, std::string_view prefix, std::string_view suffix) {
  if (!BeginsWithBatch(name, prefix) || name.size() < prefix.size() + kBatchDigits + suffix.size() ||
      !name.ends_with(suffix))
    return 0;
  std::uint64_t batch = 0;
  const std::string_view digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  return ParseNumber(digits, batch) ? batch : 0;
}

}  // namespace millrace
