// Two sources in one stream, a type of one's own as record and key, and all values of a key together.
//
// Readings of two kinds of sensors flow together; for each room the batch's readings are grouped, and their range is
// shown. A plain struct needs no codec, hash or text form: its fields have them. Argument: rate (readings a second of
// each kind).
#include <millrace/millrace.h>

#include <algorithm>

namespace {

enum class Kind { kIndoor, kOutdoor };

struct Room {
  Kind kind;
  std::uint32_t number;
};

struct Reading {
  Room room;
  double celsius;
};

struct Range {
  double low;
  double high;
  std::uint64_t readings;
};

Reading MakeReading(Kind kind, std::uint64_t index, std::uint64_t seed) {
  const std::uint64_t noise = millrace::HashOf(std::pair(index, seed));
  const double base = kind == Kind::kIndoor ? 21.0 : 9.0;
  return {{kind, static_cast<std::uint32_t>(noise % 5)}, base + static_cast<double>(noise >> 32 & 1023) / 256.0};
}

Range RangeOf(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high, values.size()};
}

}  // namespace

MILLRACE_JOB(union_and_group, ctx) {
  ctx.BatchInterval(std::chrono::seconds(1));
  const auto rate = ctx.Arg("rate", std::uint64_t{100});
  const auto readings = [&](Kind kind, std::uint64_t seed) {
    return ctx.Generator({.rate = rate, .splits = 1, .seed = seed},
                         [kind](std::uint64_t index, std::uint64_t s) { return MakeReading(kind, index, s); });
  };
  readings(Kind::kIndoor, 1)
      .Union(readings(Kind::kOutdoor, 2))
      .Map([](const Reading& reading) { return std::pair(reading.room, reading.celsius); })
      .GroupByKey(2)
      .MapValues(RangeOf)
      .Print(20);
}
