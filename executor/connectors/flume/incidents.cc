#include "executor/connectors/flume/incidents.h"

#include "common/log.h"

namespace millrace {
namespace {

constexpr std::chrono::minutes kShown{5};
constexpr std::chrono::seconds kLogPause{10};

}  // namespace

void Incidents::Note(std::string_view kind, std::string detail, Clock::time_point now) {
  std::uint64_t count = 0;
  {
    std::lock_guard lock(mutex_);
    Kind& entry = kinds_.try_emplace(std::string(kind)).first->second;
    count = ++entry.count;
    entry.last = now;
    entry.last_detail = detail;
    if (count > 1 && now < entry.next_log) return;
    entry.next_log = now + kLogPause;
  }
  log::Warn(Concat(where_, ": ", kind), {{"detail", detail}, {"count", count}});
}

std::uint64_t Incidents::count(std::string_view kind) const {
  std::lock_guard lock(mutex_);
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? 0 : found->second.count;
}

std::string Incidents::text(Clock::time_point now) const {
  std::string out;
  std::lock_guard lock(mutex_);
  for (const auto& [name, kind] : kinds_) {
    if (now - kind.last >= kShown) continue;
    out += Concat(out.empty() ? "" : "; ", kind.count, kind.count == 1 ? " time " : " times ", name, ", last ",
                  kind.last_detail);
  }
  return out;
}

}  // namespace millrace
