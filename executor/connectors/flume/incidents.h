// What went wrong with single connections: counted, logged, and shown for some minutes, since the next connection may
// be well again. A noisy peer fills no log: the same kind is logged at most every ten seconds.
//
//   incidents.Note("malformed frame", Concat(peer, ": ", reason));
//   incidents.text();  // "3 times malformed frame, last 10.0.0.7:40112: …"
//
// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace {

class Incidents {
 public:
  using Clock = std::chrono::steady_clock;
  // `where` begins each log line.
  explicit Incidents(std::string where) : where_(std::move(where)) {}

  // `kind` is one of a few fixed texts.
  void Note(std::string_view kind, std::string detail, Clock::time_point now = Clock::now());
  std::uint64_t count(std::string_view kind) const;
  // Those of the last five minutes; empty when there was none.
  std::string text(Clock::time_point now = Clock::now()) const;

 private:
  struct Kind {
    std::uint64_t count = 0;
    std::string last_detail;
    Clock::time_point last;
    Clock::time_point next_log;
  };
  const std::string where_;
  mutable std::mutex mutex_;
  std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace millrace
