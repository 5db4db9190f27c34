#include "executor/runner/lookup_host.h"

#include <algorithm>
#include <chrono>

#include "common/log.h"
#include "common/status.h"

namespace millrace {
namespace {
using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFirstWait{100};
constexpr std::chrono::milliseconds kLongestWait{2000};
}  // namespace

absl::StatusOr<std::unique_ptr<LookupHost>> LookupHost::Make(const engine::GraphDescription& graph) {
  auto host = std::make_unique<LookupHost>();
  for (const engine::OperatorDescription& op : graph.operators) {
    if (op.kind != engine::OperatorKind::kNarrow || op.connector.empty()) continue;
    auto lookup = MakeLookup(op);
    if (!lookup.ok()) return Annotate(lookup.status(), op.name, " at ", op.location);
    host->tables_.emplace(op.id, std::make_unique<Table>(*std::move(lookup)));
  }
  return host;
}

absl::StatusOr<LookupHost::Found> LookupHost::Find(std::uint32_t op, runner::AttemptId attempt,
                                                   std::span<const std::string> keys) {
  const auto at = tables_.find(op);
  if (at == tables_.end()) return Internal("operator ", op, " looks up rows, but the plan does not say where");
  Table& table = *at->second;
  Found found;
  found.rows.resize(keys.size());
  const auto now = Clock::now();
  const std::vector<std::size_t> missing = table.cache.Find(keys, now, found.rows);
  if (missing.empty()) return found;
  std::vector<const std::string*> asked;
  asked.reserve(missing.size());
  for (const std::size_t i : missing) asked.push_back(&keys[i]);
  MR_ASSIGN_OR_RETURN(std::vector<LookupRow> rows, Ask(op, attempt, asked));
  found.asked = missing.size();
  for (std::size_t i = 0; i < missing.size(); ++i) {
    // As old as the question: the answer may have been on its way for long, and a wait for the server counts as well.
    table.cache.Put(*asked[i], rows[i], now);
    found.rows[missing[i]] = std::move(rows[i]);
  }
  return found;
}

absl::StatusOr<std::vector<LookupRow>> LookupHost::Ask(std::uint32_t op, runner::AttemptId attempt,
                                                       std::span<const std::string* const> keys) {
  Table& table = *tables_.at(op);
  auto rows = TryAsk(table, keys);
  if (rows.ok()) return rows;
  std::unique_lock lock(mutex_);
  const auto self = waiting_.insert(waiting_.end(), {op, attempt, {}, false});
  for (auto wait = kFirstWait; absl::IsUnavailable(rows.status()); wait = std::min(wait * 2, kLongestWait)) {
    self->problem = Message(rows.status());
    log::Warn("lookup waits", {{"operator", op}, {"why", self->problem}});
    changed_.wait_for(lock, wait, [&] { return stopped_ || self->abandoned; });
    if (stopped_ || self->abandoned) {
      rows = Aborted("nobody waits for this task any more; it had waited for: ", self->problem);
      break;
    }
    lock.unlock();
    rows = TryAsk(table, keys);
    lock.lock();
  }
  waiting_.erase(self);
  return rows;
}

absl::StatusOr<std::vector<LookupRow>> LookupHost::TryAsk(Table& table, std::span<const std::string* const> keys) {
  std::unique_ptr<LookupReader> reader;
  {
    std::lock_guard lock(table.mutex);
    if (!table.idle.empty()) {
      reader = std::move(table.idle.back());
      table.idle.pop_back();
    }
  }
  if (reader == nullptr) {
    MR_ASSIGN_OR_RETURN(reader, table.lookup->NewReader());
    MR_RETURN_IF_ERROR(reader->Open());
  }
  MR_ASSIGN_OR_RETURN(std::vector<LookupRow> rows, reader->Find(keys));
  std::lock_guard lock(table.mutex);
  table.idle.push_back(std::move(reader));
  return rows;
}

void LookupHost::Abandon(runner::AttemptId attempt) {
  {
    std::lock_guard lock(mutex_);
    for (Waiting& one : waiting_) one.abandoned = one.abandoned || one.attempt == attempt;
  }
  changed_.notify_all();
}

void LookupHost::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

std::vector<std::pair<std::uint32_t, std::string>> LookupHost::Problems() const {
  std::vector<std::pair<std::uint32_t, std::string>> problems;
  std::lock_guard lock(mutex_);
  for (const Waiting& one : waiting_) {
    if (!one.problem.empty()) problems.emplace_back(one.op, one.problem);
  }
  return problems;
}

}  // namespace millrace
