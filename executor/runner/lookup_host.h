// The tables in which a job looks rows up, in this runner: for each such operator a cache that all tasks share, and
// readers that wait to be used again, one for each task that asks at the same time.
//
// While a server is away, Find waits and tries again, and Problems says why: a server's absence ends no job. It gives
// up when its task is dropped, and when the host is stopped.
//
// Thread rule: any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/lookup.h"
#include "executor/connectors/lookup_cache.h"
#include "executor/runner/core/events.h"
#include "millrace/engine.h"

namespace millrace {

class LookupHost {
 public:
  struct Found {
    std::vector<LookupRow> rows;  // by key; null: there is none
    std::uint64_t asked = 0;      // how many of them the cache did not have
  };

  // InvalidArgument when an option is wrong. No server is asked yet.
  static absl::StatusOr<std::unique_ptr<LookupHost>> Make(const engine::GraphDescription& graph);

  // For the task of this attempt, on its thread. What no retry mends is for the task: wrong names, rights, types.
  absl::StatusOr<Found> Find(std::uint32_t op, runner::AttemptId attempt, std::span<const std::string> keys);
  // Nobody wants this attempt any more: if it waits here, it ends with Aborted.
  void Abandon(runner::AttemptId attempt);
  // Ends all waiting, now and later.
  void Stop();
  std::vector<std::pair<std::uint32_t, std::string>> Problems() const;

 private:
  struct Table {
    explicit Table(std::unique_ptr<Lookup> of) : lookup(std::move(of)), cache(lookup->cache_limits()) {}
    const std::unique_ptr<Lookup> lookup;
    LookupCache cache;
    std::mutex mutex;
    std::vector<std::unique_ptr<LookupReader>> idle;  // guarded by mutex
  };
  // One that waits for a server.
  struct Waiting {
    std::uint32_t op = 0;
    runner::AttemptId attempt = 0;
    std::string problem;
    bool abandoned = false;
  };

  absl::StatusOr<std::vector<LookupRow>> Ask(std::uint32_t op, runner::AttemptId attempt,
                                             std::span<const std::string* const> keys);
  static absl::StatusOr<std::vector<LookupRow>> TryAsk(Table& table, std::span<const std::string* const> keys);

  std::map<std::uint32_t, std::unique_ptr<Table>> tables_;  // by operator; fixed after Make
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Waiting> waiting_;
  bool stopped_ = false;
};

}  // namespace millrace
