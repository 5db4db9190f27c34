// How far event time has come, as the operators of one task tell each other and as blocks carry it on.
//
// An origin is an operator that knows a watermark: one that assigns timestamps, or the root of a stage that has merged
// those of its inputs. It publishes a clock in each batch; writers pass on the clocks of the origins that their stream
// comes from. Plain data and pure functions. Errors: CodecError for damaged headers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "millrace/byte_stream.h"

namespace millrace::detail {

// Nothing is known of event time.
inline constexpr std::int64_t kNoWatermark = INT64_MIN;
// Never idle.
inline constexpr std::int64_t kNeverIdle = INT64_MAX;

struct EventClock {
  std::uint32_t origin = 0;                  // operator id
  bool active = false;                       // it had records in this batch
  std::int64_t watermark_us = kNoWatermark;  // no record after this batch is older
  std::int64_t idle_at_us = kNeverIdle;      // the batch time from which it no longer holds others back
};

// What stands before the records of a block: which task wrote it, and its clocks.
struct EventHeader {
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  std::vector<EventClock> clocks;

  void Write(ByteWriter& out) const {
    out.Varint(stage);
    out.Varint(partition);
    out.Varint(clocks.size());
    for (const EventClock& clock : clocks) {
      out.Varint(clock.origin);
      out.Byte(clock.active ? 1 : 0);
      out.Signed(clock.watermark_us);
      out.Signed(clock.idle_at_us);
    }
  }
  static EventHeader Read(ByteReader& in) {
    EventHeader header;
    header.stage = static_cast<std::uint32_t>(in.Varint());
    header.partition = static_cast<std::uint32_t>(in.Varint());
    for (std::size_t left = in.Count(); left > 0; --left) {
      EventClock& clock = header.clocks.emplace_back();
      clock.origin = static_cast<std::uint32_t>(in.Varint());
      clock.active = in.Byte() != 0;
      clock.watermark_us = in.Signed();
      clock.idle_at_us = in.Signed();
    }
    return header;
  }
};

// Times of records, windows and watermarks stay within this, so that sums of a few never overflow: 36 000 years.
inline constexpr std::int64_t kMaxEventTimeUs = std::int64_t{1} << 60;
// Sizes of windows, lateness and the like: no longer than 1000 years.
inline constexpr std::int64_t kMaxEventSpanUs = std::int64_t{1000} * 366 * 86'400 * 1'000'000;

// The largest multiple of `unit` that is not above `time`, also before the epoch.
constexpr std::int64_t FloorTo(std::int64_t time, std::int64_t unit) {
  const std::int64_t rest = time % unit;
  return time - (rest < 0 ? rest + unit : rest);
}

}  // namespace millrace::detail
