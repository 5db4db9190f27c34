// Small text helpers for the planner's messages. Stateless.
#pragma once

#include <concepts>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace millrace::detail {

inline void AppendPart(std::string& out, std::string_view part) { out += part; }
template <std::integral T>
void AppendPart(std::string& out, T part) {
  out += std::to_string(part);
}

template <class... Parts>
std::string Cat(const Parts&... parts) {
  std::string out;
  (AppendPart(out, parts), ...);
  return out;
}

// "file.cc:12": the folder says nothing to the reader and differs between build machines.
inline std::string LocationOf(const std::source_location& where) {
  const std::string_view path = where.file_name();
  return Cat(path.substr(path.rfind('/') + 1), ":", where.line());
}

// Letters, digits, '.', '_' and '-', 1 to 64 of them.
constexpr bool IsJobName(std::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  for (const char c : name) {
    const bool allowed =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!allowed) return false;
  }
  return true;
}

}  // namespace millrace::detail
