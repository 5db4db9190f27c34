// Numbers, times and texts as people read them. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/v1/control.pb.h"

namespace millrace::cli {

// "850 us", "12 ms", "1.5 s", "3m 20s", "2h 5m", "4d 3h".
std::string Length(std::int64_t microseconds);
// "3m ago" of a time in microseconds since the epoch; "-" for 0, "now" for less than a second and for the future.
std::string Ago(std::int64_t time_us, std::int64_t now_us);
// "2026-11-23 06:16:17.100", local time.
std::string Clock(std::int64_t time_us);
// "1,234,567".
std::string Count(std::uint64_t number);
// "64.0 MiB".
std::string Bytes(std::uint64_t bytes);
// "running"; a state that this program does not know is a number.
std::string StateName(v1::JobState state);
bool HasEnded(v1::JobState state);
// Without control characters, which could steer a terminal: they become '?'. Tabs stay.
std::string Printable(std::string_view text);
// The first line, cut to `width` bytes with "…".
std::string Brief(std::string_view text, std::size_t width);

std::int64_t NowUs();

}  // namespace millrace::cli
