#include "common/net/driver_addresses.h"

#include <algorithm>
#include <charconv>

namespace millrace {
namespace {

constexpr std::string_view kNotTheLeader = "not the leader; ";
constexpr std::string_view kLeaderIs = "not the leader; the leader is ";

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool IsHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0 || text.find_first_of(" /;") != text.npos) return false;
  int port = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + colon + 1, last, port);
  return error == std::errc() && end == last && port > 0 && port < 65536;
}

}  // namespace

absl::Status NotTheLeader(std::string_view leader, std::string_view problem) {
  if (!leader.empty()) return Unavailable(kLeaderIs, leader);
  return Unavailable(kNotTheLeader, "no leader is known", problem.empty() ? "" : ": ", problem);
}

bool IsNotTheLeader(std::string_view message) { return message.find(kNotTheLeader) != message.npos; }

std::string LeaderIn(std::string_view message) {
  const std::size_t at = message.find(kLeaderIs);
  if (at == message.npos) return {};
  const std::string_view rest = message.substr(at + kLeaderIs.size());
  return std::string(rest.substr(0, rest.find_first_of(" ,;")));
}

absl::StatusOr<DriverAddresses> DriverAddresses::Parse(std::string_view list) {
  DriverAddresses addresses;
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    const std::string_view one = Trimmed(list.substr(from, comma - from));
    if (!IsHostPort(one)) {
      return InvalidArgument("the driver's address '", one, "' must be HOST:PORT",
                             list.find(',') == list.npos ? "" : ", or several of them with commas between");
    }
    if (std::ranges::find(addresses.all_, one) == addresses.all_.end()) addresses.all_.emplace_back(one);
    from = comma + 1;
  }
  return addresses;
}

void DriverAddresses::Next(std::string_view error) {
  const auto leader = std::ranges::find(all_, LeaderIn(error));
  const auto index = static_cast<std::size_t>(leader - all_.begin());
  current_ = leader != all_.end() && index != current_ ? index : (current_ + 1) % all_.size();
}

std::string DriverAddresses::text() const {
  std::string out;
  for (std::size_t i = 0; i < all_.size(); ++i) out += (out.empty() ? "" : ",") + all_[(current_ + i) % all_.size()];
  return out;
}

}  // namespace millrace
