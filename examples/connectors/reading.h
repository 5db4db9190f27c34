// What a sensor said: the record of the example connectors, and its form as a line "id,sensor,value". Stateless.
// Errors: std::invalid_argument quotes the line.
#pragma once

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

struct Reading {
  std::string id;
  std::string sensor;
  std::int64_t value = 0;
  bool operator==(const Reading&) const = default;
};

inline Reading ParseReading(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t first = line.find(',');
  const std::size_t last = line.rfind(',');
  std::int64_t value = 0;
  bool good = first != std::string_view::npos && first > 0 && first < last;
  if (good) {
    const char* end = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data() + last + 1, end, value);
    good = error == std::errc() && stop == end;
  }
  if (!good) throw std::invalid_argument("'" + std::string(line.substr(0, 100)) + "' is not a line id,sensor,value");
  return {std::string(line.substr(0, first)), std::string(line.substr(first + 1, last - first - 1)), value};
}
