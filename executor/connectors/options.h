// Checks the options of one source or sink completely, so that a misspelt word fails the submit and not the third hour
// of the job.
//
//   OptionReader options("source", description, kNames);
//   MR_RETURN_IF_ERROR(options.CheckNames());
//   MR_ASSIGN_OR_RETURN(auto splits, options.Number("splits", 2, 1, 10000));
//
// Every error is InvalidArgument and names the operator, the option, its value, what is allowed and what is nearest to
// it. The description must outlive the reader.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/status.h"
#include "millrace/engine.h"

namespace millrace {

class OptionReader {
 public:
  // `side` is "source" or "sink". An option that begins with `open_prefix` is not looked at here.
  OptionReader(std::string_view side, const engine::OperatorDescription& description,
               std::span<const std::string_view> names, std::string_view open_prefix = "");

  absl::Status CheckNames() const;
  // InvalidArgument when absent or empty.
  absl::StatusOr<std::string> Required(std::string_view name) const;
  std::string Text(std::string_view name, std::string_view fallback) const;
  absl::StatusOr<std::uint64_t> Number(std::string_view name, std::uint64_t fallback, std::uint64_t min,
                                       std::uint64_t max) const;
  absl::StatusOr<bool> Bool(std::string_view name, bool fallback) const;
  // One of `choices`; the first is the default.
  absl::StatusOr<std::string> Choice(std::string_view name, std::span<const std::string_view> choices) const;

  // "source 'clicks' (kafka): option start …": an error about the value of one option.
  template <class... Parts>
  absl::Status Bad(std::string_view name, const Parts&... parts) const {
    return InvalidArgument(where_, ": option ", name, " ", Concat(parts...));
  }
  const std::string& where() const { return where_; }

 private:
  const std::string* Find(std::string_view name) const;

  const engine::Options& options_;
  std::span<const std::string_view> names_;
  std::string_view open_prefix_;
  std::string where_;
};

// A decimal number without sign, blanks or a rest; false when it is not one or does not fit.
bool ParseNumber(std::string_view text, std::uint64_t& value);

// "source 'clicks' (kafka)" for errors.
std::string OperatorName(std::string_view side, const engine::OperatorDescription& description);

}  // namespace millrace
