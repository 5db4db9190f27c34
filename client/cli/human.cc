#include "client/cli/human.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "common/status.h"

namespace millrace::cli {
namespace {

constexpr std::int64_t kMs = 1'000, kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute,
                       kDay = 24 * kHour;

std::string OneDecimal(double value, std::string_view unit) {
  char text[48];
  std::snprintf(text, sizeof text, "%.1f %.*s", value, static_cast<int>(unit.size()), unit.data());
  return text;
}

std::string Two(std::int64_t value, std::int64_t large, std::string_view large_unit, std::int64_t small,
                std::string_view small_unit) {
  const std::int64_t rest = value % large / small;
  return rest == 0 ? Concat(value / large, large_unit) : Concat(value / large, large_unit, " ", rest, small_unit);
}

}  // namespace

std::string Length(std::int64_t us) {
  if (us < 0) return Concat("-", Length(-us));
  if (us < kMs) return Concat(us, " us");
  if (us < 10 * kMs) return us % kMs == 0 ? Concat(us / kMs, " ms") : OneDecimal(static_cast<double>(us) / kMs, "ms");
  if (us < kSecond) return Concat((us + kMs / 2) / kMs, " ms");
  if (us < kMinute) {
    return us % kSecond == 0 ? Concat(us / kSecond, " s") : OneDecimal(static_cast<double>(us) / kSecond, "s");
  }
  if (us < kHour) return Two(us, kMinute, "m", kSecond, "s");
  if (us < kDay) return Two(us, kHour, "h", kMinute, "m");
  return Two(us, kDay, "d", kHour, "h");
}

std::string Ago(std::int64_t time_us, std::int64_t now_us) {
  if (time_us == 0) return "-";
  const std::int64_t age = now_us - time_us;
  if (age < kSecond) return "now";
  if (age < kMinute) return Concat(age / kSecond, "s ago");
  if (age < kHour) return Concat(age / kMinute, "m ago");
  if (age < kDay) return Concat(age / kHour, "h ago");
  return Concat(age / kDay, "d ago");
}

std::string Clock(std::int64_t time_us) {
  const std::time_t seconds = time_us / kSecond;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  char fraction[8];
  std::snprintf(fraction, sizeof fraction, ".%03d", static_cast<int>(time_us % kSecond / kMs));
  return std::string(text, size) + fraction;
}

std::string Count(std::uint64_t number) {
  std::string digits = Concat(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string Bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
  return unit == 0 ? Concat(bytes, " B") : OneDecimal(value, kUnits[unit]);
}

std::string StateName(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_STARTING:
      return "starting";
    case v1::JOB_STATE_RUNNING:
      return "running";
    case v1::JOB_STATE_STOPPING:
      return "stopping";
    case v1::JOB_STATE_STOPPED:
      return "stopped";
    case v1::JOB_STATE_FINISHED:
      return "finished";
    case v1::JOB_STATE_FAILED:
      return "failed";
    default:
      return Concat("state ", static_cast<int>(state));
  }
}

bool HasEnded(v1::JobState state) {
  return state == v1::JOB_STATE_STOPPED || state == v1::JOB_STATE_FINISHED || state == v1::JOB_STATE_FAILED;
}

std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) c = '?';
  }
  return out;
}

std::string Brief(std::string_view text, std::size_t width) {
  const std::string_view line = text.substr(0, text.find('\n'));
  if (line.size() <= width && line.size() == text.size()) return std::string(line);
  std::size_t end = std::min(line.size(), width);
  while (end > 0 && end < line.size() && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80)
    --end;  // whole characters
  return Concat(line.substr(0, end), "…");
}

std::int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace millrace::cli
