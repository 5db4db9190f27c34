// Settings: a table says what there is, and every value comes from the last of these that gives it: the table's
// default, the YAML file, the environment (MILLRACE__DRIVER__LISTEN for driver.listen), --set key=value. Whatever is
// unknown, of a wrong type or out of range is an error that names its place: "driver.yaml:14:3: unknown key 'sheduler',
// did you mean 'scheduler'?"
//
//   constexpr OptionSpec kOptions[] = {
//       {.key = "driver.listen", .type = OptionType::kString, .default_text = "127.0.0.1:7077", .doc = "Where clients
//       connect."},
//       {.key = "driver.patience", .type = OptionType::kDuration, .default_text = "5s", .doc = "…", .min = 1'000},
//   };
//   MR_ASSIGN_OR_RETURN(Config config, LoadConfig(kOptions, "/etc/millrace/driver.yaml", sets));
//   config.DurationUs("driver.patience");
//
// A Config is a value; const use from many threads is safe. Asking for a key that the table does not have, or as
// another type, is a bug and ends the process. Errors: NotFound and PermissionDenied for the file, InvalidArgument for
// what stands in it.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/config/units.h"
#include "common/status.h"

namespace millrace {

enum class OptionType {
  kString,
  kBool,  // true or false
  kInteger,
  kNumber,
  kDuration,  // "500ms"; microseconds in the program
  kSize,      // "64MiB"; bytes in the program
  kList,      // of strings: a YAML sequence, or "a,b" in the environment and --set
};

struct OptionSpec {
  std::string_view key;  // "driver.listen"
  OptionType type = OptionType::kString;
  std::string_view default_text;  // as in the environment; must itself be valid
  std::string_view doc;
  std::string_view unit = {};  // of an integer or a number, for people: "tasks"
  // Bounds, both allowed, of integers, numbers, durations (microseconds) and sizes (bytes).
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view choices = {};  // of a string: "text|json"; empty: anything
};

class Config {
 public:
  const std::string& String(std::string_view key) const;
  bool Bool(std::string_view key) const;
  std::int64_t Integer(std::string_view key) const;
  double Number(std::string_view key) const;
  std::int64_t DurationUs(std::string_view key) const;
  std::uint64_t SizeBytes(std::string_view key) const;
  const std::vector<std::string>& List(std::string_view key) const;

  // Where the value comes from: "default", "driver.yaml:3:11", "environment MILLRACE__…" or "--set".
  const std::string& Origin(std::string_view key) const;

 private:
  friend class ConfigLoader;
  struct Value {
    OptionType type;
    std::variant<std::string, bool, std::int64_t, double, std::vector<std::string>> value;
    std::string origin;
  };
  const Value& Find(std::string_view key, OptionType type) const;

  std::map<std::string, Value, std::less<>> values_;
};

// `file` may be empty. `environment` as the system's environ; null: none is looked at.
absl::StatusOr<Config> LoadConfig(std::span<const OptionSpec> schema, const std::string& file,
                                  const std::vector<std::string>& sets, const char* const* environment);
absl::StatusOr<Config> LoadConfig(std::span<const OptionSpec> schema, const std::string& file,
                                  const std::vector<std::string>& sets);

// All options with their types, defaults and meanings, for --help-config. DescribeKeys leaves out the introduction
// about where values come from, for programs that do not look in all those places.
std::string Describe(std::span<const OptionSpec> schema);
std::string DescribeKeys(std::span<const OptionSpec> schema);

}  // namespace millrace
