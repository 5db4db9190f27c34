#include "common/config/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace millrace {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array kDurations = {Unit{"us", 1},         Unit{"ms", 1'000},        Unit{"s", 1'000'000},
                                   Unit{"m", 60'000'000}, Unit{"h", 3'600'000'000}, Unit{"d", 86'400'000'000}};
constexpr std::array kSizes = {Unit{"B", 1},
                               Unit{"KiB", std::int64_t{1} << 10},
                               Unit{"MiB", std::int64_t{1} << 20},
                               Unit{"GiB", std::int64_t{1} << 30},
                               Unit{"TiB", std::int64_t{1} << 40},
                               Unit{"KB", 1'000},
                               Unit{"MB", 1'000'000},
                               Unit{"GB", 1'000'000'000},
                               Unit{"TB", 1'000'000'000'000}};

std::string UnitNames(std::span<const Unit> units) {
  std::string names;
  for (const Unit& unit : units) names += Concat(names.empty() ? "" : ", ", unit.name);
  return names;
}

absl::StatusOr<std::int64_t> Parse(std::string_view text, std::span<const Unit> units, std::string_view what,
                                   std::string_view example) {
  const auto bad = [&] {
    return InvalidArgument("'", text.substr(0, 100), "' is no ", what, ": give a number and a unit, such as ", example,
                           " (units ", UnitNames(units), ")");
  };
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || std::signbit(number)) return bad();
  std::string_view unit_name = text.substr(static_cast<std::size_t>(end - text.data()));
  unit_name.remove_prefix(std::min(unit_name.find_first_not_of(' '), unit_name.size()));
  if (unit_name.empty() && number == 0) return 0;
  for (const Unit& unit : units) {
    if (unit.name != unit_name) continue;
    const double value = std::round(number * static_cast<double>(unit.factor));
    if (!(value < 9.0e18)) return InvalidArgument("'", text.substr(0, 100), "' is too large a ", what);
    return static_cast<std::int64_t>(value);
  }
  return bad();
}

std::string Format(std::int64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0 && unit.factor > best->factor) best = &unit;
  }
  return Concat(value / best->factor, best->name);
}

}  // namespace

absl::StatusOr<std::int64_t> ParseDuration(std::string_view text) {
  return Parse(text, kDurations, "duration", "500ms or 1s");
}
absl::StatusOr<std::int64_t> ParseSize(std::string_view text) { return Parse(text, kSizes, "size", "64MiB"); }
std::string FormatDuration(std::int64_t microseconds) { return Format(microseconds, kDurations); }
std::string FormatSize(std::int64_t bytes) { return Format(bytes, std::span(kSizes).first(5)); }

}  // namespace millrace
