#include "driver/cluster/checkpoint_janitor.h"

#include <utility>

namespace millrace {
namespace {
constexpr std::int64_t kAnswerWaitUs = 600'000'000;
}

std::optional<CheckpointJanitor::Sweep> CheckpointJanitor::Next(std::int64_t now,
                                                                const std::map<std::string, bool>& jobs) {
  std::erase_if(jobs_, [&](const auto& entry) { return !jobs.contains(entry.first); });
  for (const auto& [id, ended] : jobs) {
    const auto [at, fresh] = jobs_.try_emplace(id);
    if (!fresh && at->second.ended == ended) continue;
    at->second = {ended, false, now + interval_us_};
  }
  if (under_way_ && now - asked_at_ < kAnswerWaitUs) return std::nullopt;
  for (const auto& [id, due] : forgotten_) {
    if (due <= now) return Ask(now, id, true);
  }
  for (const auto& [id, job] : jobs_) {
    if (!job.done && job.due <= now) return Ask(now, id, false);
  }
  return std::nullopt;
}

CheckpointJanitor::Sweep CheckpointJanitor::Ask(std::int64_t now, std::string job, bool all) {
  asked_at_ = now;
  under_way_ = Sweep{++next_request_, std::move(job), all};
  return *under_way_;
}

std::optional<std::string> CheckpointJanitor::Answered(std::int64_t now, std::uint64_t request, bool ok, bool kept) {
  if (!under_way_ || under_way_->request != request) return std::nullopt;
  const Sweep sweep = *std::exchange(under_way_, std::nullopt);
  if (sweep.all) {
    const auto at = forgotten_.find(sweep.job);
    if (at == forgotten_.end()) return std::nullopt;
    if (!ok || kept) {
      at->second = now + interval_us_;
      return std::nullopt;
    }
    forgotten_.erase(at);
    return sweep.job;
  }
  const auto at = jobs_.find(sweep.job);
  if (at == jobs_.end()) return std::nullopt;
  at->second.due = now + interval_us_;
  at->second.done = ok && at->second.ended;
  return std::nullopt;
}

}  // namespace millrace
