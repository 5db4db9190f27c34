// Structured logging: one line an event, a message and key=value pairs, to stderr (and so to the journal under
// systemd).
//
//   log::Info("runner lost", {{"job", job}, {"runner", id}, {"reason", why}});
//
// Thread-safe. Level and form come from LogOptions at start; text is the default, json for machines.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "common/status.h"

namespace millrace {

struct LogOptions {
  std::string level = "info";   // debug, info, warn, error
  std::string format = "text";  // text or json
  std::string component;        // "driver", "executor", …
};

// Once, early in main. InvalidArgument on an unknown level or format.
absl::Status InitLogging(const LogOptions& options);

namespace log {

struct Field {
  template <class T>
  Field(std::string_view k, const T& v) : key(k), value(Concat(v)) {}
  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

void Debug(std::string_view message, Fields fields = {});
void Info(std::string_view message, Fields fields = {});
void Warn(std::string_view message, Fields fields = {});
void Error(std::string_view message, Fields fields = {});

}  // namespace log
}  // namespace millrace
