// Where the drivers of a cluster are, and which of them to ask. One leads; the others refuse every call with
// NotTheLeader, which names it. Whoever is refused, or reaches nobody, moves on and asks again, after a pause of its
// own.
//
//   MR_ASSIGN_OR_RETURN(DriverAddresses drivers, DriverAddresses::Parse("driver-1:7077,driver-2:7077"));
//   Connect(drivers.Current());
//   drivers.Next(status.error_message());  // when that failed
//
// Values; pure; not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace millrace {

// Unavailable: "not the leader; the leader is HOST:PORT", or that there is none, or why none is known.
absl::Status NotTheLeader(std::string_view leader, std::string_view problem);
// Whether a call's error message is one of those, and the address in it, empty when it names none.
bool IsNotTheLeader(std::string_view message);
std::string LeaderIn(std::string_view message);

class DriverAddresses {
 public:
  // HOST:PORT, or several with commas between. InvalidArgument for anything else.
  static absl::StatusOr<DriverAddresses> Parse(std::string_view list);

  const std::string& Current() const { return all_[current_]; }
  // The leader when `error` names one of ours that is not the current, else the one behind the current.
  void Next(std::string_view error = {});

  const std::vector<std::string>& all() const { return all_; }
  std::size_t current() const { return current_; }
  bool several() const { return all_.size() > 1; }
  // "a:7077,b:7077", the current first.
  std::string text() const;

 private:
  std::vector<std::string> all_;  // never empty
  std::size_t current_ = 0;
};

}  // namespace millrace
