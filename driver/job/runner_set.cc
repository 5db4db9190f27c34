#include "driver/job/runner_set.h"

#include <algorithm>

#include "common/status.h"

namespace millrace {
namespace {
constexpr std::int64_t kFirstRestartWaitUs = 100'000;
constexpr std::int64_t kLongestRestartWaitUs = 5'000'000;
// A runner that was up so long did not fail for the reason of the one before.
constexpr std::int64_t kForgiveAfterUs = 60'000'000;

std::int64_t RestartWait(int failures) {
  const int doublings = std::min(failures - 1, 8);
  return std::min(kLongestRestartWaitUs, kFirstRestartWaitUs << doublings);
}
}  // namespace

void RunnerSet::AddExecutor(std::int64_t now, const std::string& executor) {
  Executor& e = executors_[executor];
  e.leaving = false;
  if (e.runner.empty()) e.start_at = now;
}

void RunnerSet::Adopt(std::int64_t now, const std::string& executor, const std::string& runner) {
  AddExecutor(now, executor);
  Executor& e = executors_[executor];
  if (e.runner.empty()) e.runner = runner;
}

std::string RunnerSet::RemoveExecutor(const std::string& executor) {
  const auto it = executors_.find(executor);
  if (it == executors_.end()) return {};
  std::string runner = it->second.runner;
  if (it->second.up) ++total_failures_;  // one that was only asked for is no runner lost
  executors_.erase(it);
  return runner;
}

const std::pair<const std::string, RunnerSet::Executor>* RunnerSet::Find(const std::string& runner) const {
  for (const auto& entry : executors_) {
    if (entry.second.runner == runner && !runner.empty()) return &entry;
  }
  return nullptr;
}

bool RunnerSet::MarkUp(std::int64_t now, const std::string& runner, const std::string& block_address) {
  const auto* found = Find(runner);
  if (found == nullptr) return false;
  Executor& e = executors_[found->first];
  if (!e.up) e.up_since = now;
  e.up = true;
  e.block_address = block_address;
  return true;
}

std::string RunnerSet::MarkLost(std::int64_t now, const std::string& runner) {
  const auto* found = Find(runner);
  if (found == nullptr) return {};
  const std::string executor = found->first;
  Executor& e = executors_[executor];
  if (e.up && now - e.up_since >= kForgiveAfterUs) e.failures = 0;
  ++e.failures;
  ++total_failures_;
  e.runner.clear();
  e.up = false;
  e.start_at = now + RestartWait(e.failures);
  return executor;
}

void RunnerSet::Forgive() {
  for (auto& [name, e] : executors_) {
    if (e.up) e.failures = 0;
  }
}

std::vector<StopRunner> RunnerSet::RestartAll(std::int64_t now) {
  std::vector<StopRunner> stopped;
  for (auto& [name, e] : executors_) {
    if (!e.up) continue;
    stopped.push_back({name, std::exchange(e.runner, {})});
    e.up = false;
    e.start_at = now + kFirstRestartWaitUs;
  }
  return stopped;
}

std::vector<StartRunner> RunnerSet::TakeDue(std::int64_t now) {
  std::vector<StartRunner> due;
  for (auto& [name, e] : executors_) {
    if (!e.runner.empty() || e.leaving || e.start_at > now) continue;
    e.runner = Concat(job_id_, ".", name, ".", epoch_, ".", ++next_);
    due.push_back({name, e.runner});
  }
  return due;
}

std::optional<std::int64_t> RunnerSet::next_start() const {
  std::optional<std::int64_t> next;
  for (const auto& [name, e] : executors_) {
    if (e.runner.empty() && !e.leaving) next = std::min(next.value_or(e.start_at), e.start_at);
  }
  return next;
}

bool RunnerSet::IsUp(const std::string& runner) const {
  const auto* found = Find(runner);
  return found != nullptr && found->second.up;
}

std::vector<std::string> RunnerSet::up() const {
  std::vector<std::string> runners;
  for (const auto& [name, e] : executors_) {
    if (e.up) runners.push_back(e.runner);
  }
  return runners;
}

std::vector<StopRunner> RunnerSet::all() const {
  std::vector<StopRunner> runners;
  for (const auto& [name, e] : executors_) {
    if (!e.runner.empty()) runners.push_back({name, e.runner});
  }
  return runners;
}

std::vector<std::string> RunnerSet::executors_up() const {
  std::vector<std::string> names;
  for (const auto& [name, e] : executors_) {
    if (e.up) names.push_back(name);
  }
  return names;
}

std::string RunnerSet::address(const std::string& runner) const {
  const auto* found = Find(runner);
  return found == nullptr ? std::string() : found->second.block_address;
}

std::string RunnerSet::ExecutorOf(const std::string& runner) const {
  const auto* found = Find(runner);
  return found == nullptr ? std::string() : found->first;
}

std::string RunnerSet::ExecutorIn(const std::string& runner) const {
  const std::size_t last = runner.rfind('.');
  const std::size_t end = last == std::string::npos || last == 0 ? last : runner.rfind('.', last - 1);
  const std::size_t begin = job_id_.size() + 1;
  if (end == std::string::npos || end <= begin || !runner.starts_with(job_id_ + ".")) return {};
  return runner.substr(begin, end - begin);
}

bool RunnerSet::AllUp() const {
  return std::ranges::all_of(executors_, [](const auto& entry) { return entry.second.up || entry.second.leaving; });
}

bool RunnerSet::SetLeaving(const std::string& executor) {
  const auto it = executors_.find(executor);
  if (it != executors_.end()) it->second.leaving = true;
  return it != executors_.end();
}

bool RunnerSet::IsLeaving(const std::string& executor) const {
  const auto it = executors_.find(executor);
  return it != executors_.end() && it->second.leaving;
}

std::vector<std::string> RunnerSet::owners() const {
  std::vector<std::string> runners;
  for (const auto& [name, e] : executors_) {
    if (e.up && !e.leaving) runners.push_back(e.runner);
  }
  return runners.empty() ? up() : runners;
}

bool RunnerSet::AllLeave() const { return !up().empty() && up() == owners() && IsLeaving(ExecutorOf(up().front())); }

std::string RunnerSet::RunnerOn(const std::string& executor) const {
  const auto it = executors_.find(executor);
  return it == executors_.end() ? std::string() : it->second.runner;
}

int RunnerSet::failures(const std::string& executor) const {
  const auto it = executors_.find(executor);
  return it == executors_.end() ? 0 : it->second.failures;
}

}  // namespace millrace
