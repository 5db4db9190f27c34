// The executors a job runs on and its one runner on each: which are up, which must be started again, and when to give
// up. A runner that fails is started again after a wait that doubles; it is forgiven when a batch commits, and when it
// was up for a minute: an idle job has no batches that commit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "driver/job/events.h"

namespace millrace {

class RunnerSet {
 public:
  // Runner ids are "JOB.EXECUTOR.EPOCH.N": never used twice in a cluster, for an executor has runners of many jobs.
  RunnerSet(std::string job_id, std::uint64_t epoch) : job_id_(std::move(job_id)), epoch_(epoch) {}

  void AddExecutor(std::int64_t now, const std::string& executor);
  // The id of the runner that went with it, empty if it had none.
  // An executor that has come with a runner from before. Ignored when it has one already.
  void Adopt(std::int64_t now, const std::string& executor, const std::string& runner);
  std::string RemoveExecutor(const std::string& executor);

  // False if the runner is not one of ours (an older one that comes late).
  bool MarkUp(std::int64_t now, const std::string& runner, const std::string& block_address);
  // The executor of the runner, empty if the runner is not one of ours. Plans its restart.
  std::string MarkLost(std::int64_t now, const std::string& runner);
  void Forgive();
  // Every runner that is up is to be replaced by a new one, for no fault of its own.
  std::vector<StopRunner> RestartAll(std::int64_t now);

  // It gets no partitions and no new runner any more, until it registers again. False if it is not one of ours.
  bool SetLeaving(const std::string& executor);
  bool IsLeaving(const std::string& executor) const;
  // It goes, and that is no failure.
  void Release(const std::string& executor) { executors_.erase(executor); }

  // Runners to start now.
  std::vector<StartRunner> TakeDue(std::int64_t now);
  std::optional<std::int64_t> next_start() const;

  bool IsUp(const std::string& runner) const;
  std::vector<std::string> up() const;  // runner ids, sorted
  // Those of them that may own partitions: all but the leaving ones, or all if there is no other.
  std::vector<std::string> owners() const;
  bool AllLeave() const;                                    // all that are up
  std::string RunnerOn(const std::string& executor) const;  // empty: none
  std::vector<StopRunner> all() const;                      // every runner that has been started
  std::vector<std::string> executors_up() const;
  std::string address(const std::string& runner) const;
  bool HasExecutor(const std::string& executor) const { return executors_.contains(executor); }
  // The executor that a runner's id names, "JOB.EXECUTOR.EPOCH.N", whether or not we know either; empty when it is no
  // id.
  std::string ExecutorIn(const std::string& runner) const;
  std::string ExecutorOf(const std::string& runner) const;
  bool AllUp() const;  // no runner is still on its way
  bool has_executors() const { return !executors_.empty(); }
  // Failures in a row of the runner's executor.
  int failures(const std::string& executor) const;
  std::uint32_t total_failures() const { return total_failures_; }

 private:
  struct Executor {
    std::string runner;  // empty: none started
    bool up = false;
    bool leaving = false;
    std::int64_t up_since = 0;
    std::string block_address;
    int failures = 0;
    std::int64_t start_at = 0;  // when runner is empty
  };
  const std::pair<const std::string, Executor>* Find(const std::string& runner) const;

  std::string job_id_;
  std::uint64_t epoch_;
  std::uint64_t next_ = 0;
  std::uint32_t total_failures_ = 0;
  std::map<std::string, Executor> executors_;
};

}  // namespace millrace
