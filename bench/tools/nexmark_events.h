// Events of Nexmark (Tucker, Tufte, Papadimos, Maier: NEXMark, a benchmark for queries over data streams, 2002), in the
// proportions and with the hot keys that its implementations for Beam and Flink have; the descriptions are padding.
// Of 50 events one is a person, three are auctions and 46 are bids; 10,000 events are a second of event time. An event
// follows from its number alone.
//
//   P,ID,TIME,…              TIME in milliseconds since the Unix epoch
//   A,ID,TIME,SELLER,…
//   B,AUCTION,TIME,BIDDER,PRICE,…
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace nexmark {

inline constexpr std::uint64_t kEpoch = 50;  // events
inline constexpr std::uint64_t kAuctions = 3;
inline constexpr std::uint64_t kBids = 46;

inline std::uint64_t Mix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

inline std::uint64_t TimeMs(std::uint64_t event) { return 1'700'000'000'000ULL + event / 10; }

// One of the newest `recent` of `count` things, or in `hot` of 100 cases the newest multiple of 100.
inline std::uint64_t Recent(std::uint64_t draw, std::uint64_t count, std::uint64_t recent, std::uint64_t hot) {
  if (count == 0) return 0;
  if (draw % 100 < hot) return (count - 1) / 100 * 100;
  return count - 1 - (draw >> 8) % std::min(count, recent);
}

inline void AppendEvent(std::uint64_t event, std::string& out) {
  static constexpr std::string_view kText =
      "mill race water wheel stone grain flour sluice weir pond bank stream brook river ford bridge lane field barn "
      "yard cart sack scale bell rope beam gear shaft tooth";
  const std::uint64_t epoch = event / kEpoch;
  const std::uint64_t place = event % kEpoch;
  const std::uint64_t draw = Mix(event);
  const std::string time = std::to_string(TimeMs(event));
  const auto add = [&](std::uint64_t number) { out += std::to_string(number) + ','; };
  if (place == 0) {
    out += "P,";
    add(epoch);
    out += time + ',';
    out += kText.substr(draw % 20, 120);
  } else if (place <= kAuctions) {
    out += "A,";
    add(epoch * kAuctions + place - 1);
    out += time + ',';
    add(Recent(draw, epoch + 1, 1000, 75));
    out += kText.substr(draw % 20, 140);
  } else {
    out += "B,";
    add(Recent(draw, epoch * kAuctions + kAuctions, 100, 50));
    out += time + ',';
    add(Recent(Mix(draw), epoch + 1, 1000, 75));
    add(100 + Mix(draw + 1) % 10'000'000);
    out += kText.substr(draw % 20, 50);
  }
}

// The i-th auction, and the i-th bid, as events.
inline std::uint64_t EventOfAuction(std::uint64_t i) { return i / kAuctions * kEpoch + 1 + i % kAuctions; }
inline std::uint64_t EventOfBid(std::uint64_t i) { return i / kBids * kEpoch + 1 + kAuctions + i % kBids; }

}  // namespace nexmark
