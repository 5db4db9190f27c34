// The connector sinks of a job in this runner: one writer per sink partition that is ours, opened when first needed,
// and opened anew after any error. What is visible is decided by the mark the neighbour holds, never by what we
// remember.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/sink.h"
#include "executor/runner/core/events.h"

namespace millrace {

class SinkHost {
 public:
  static absl::StatusOr<std::unique_ptr<SinkHost>> Make(const engine::Program& program, const std::string& job_id);

  bool Has(std::uint32_t sink) const { return sinks_.contains(sink); }
  // Makes the rows and the mark visible, unless the mark is there already. Waits and tries again while the neighbour is
  // out of reach; ends with Aborted when the partition is released meanwhile or a newer owner has fenced us out. On a
  // committer, one at a time for a partition.
  absl::Status Commit(std::uint32_t sink, const runner::TaskRef& ref, std::uint64_t epoch, const RowBuffer& rows);
  void Release(TaskKey task);
  std::vector<std::pair<std::uint32_t, std::string>> Problems() const;

 private:
  struct Slot {
    std::mutex busy;
    std::unique_ptr<SinkWriter> writer;  // guarded by busy
    std::uint64_t mark = 0;              // guarded by busy
    bool released = false;               // guarded by mutex_
    std::string problem;                 // guarded by mutex_
  };
  struct SinkEntry {
    std::unique_ptr<Sink> sink;
    std::string name;
  };

  SinkHost(std::string job_id, std::string job_name) : job_id_(std::move(job_id)), job_name_(std::move(job_name)) {}
  std::shared_ptr<Slot> SlotOf(std::uint32_t sink, TaskKey task);
  absl::Status TryCommit(const SinkEntry& entry, Slot& slot, const runner::TaskRef& ref, std::uint64_t epoch,
                         const RowBuffer& rows);

  const std::string job_id_;
  const std::string job_name_;
  std::map<std::uint32_t, SinkEntry> sinks_;  // fixed after Make
  mutable std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::pair<std::uint32_t, TaskKey>, std::shared_ptr<Slot>> slots_;
};

}  // namespace millrace
