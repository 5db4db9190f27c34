// Decides when files of a job's checkpoints are looked through for such as nobody needs, and remembers which jobs are
// forgotten when theirs are gone. Pure bookkeeping; the driver knows what is needed, and an executor deletes.
//
//   if (const auto sweep = janitor.Next(now, jobs)) SendTo(executor, sweep->request, sweep->job);
//   const std::optional<std::string> gone = janitor.Answered(now, request, ok, kept);   // a job that may be forgotten
//   now
//
// A job that lives is looked through again and again, one that has ended once, and one that is to be forgotten at once,
// and until it has worked. One request is under way at a time; without an answer it is given up after a while.
//
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace millrace {

class CheckpointJanitor {
 public:
  explicit CheckpointJanitor(std::int64_t interval_us) : interval_us_(interval_us) {}

  struct Sweep {
    std::uint64_t request = 0;
    std::string job;
    bool all = false;  // nothing of it is needed for itself
  };
  // The request that is due, if any. `jobs`: those with state, and whether they have ended.
  std::optional<Sweep> Next(std::int64_t now, const std::map<std::string, bool>& jobs);

  // The job is known no more. Answered tells when its files are gone.
  void Forget(std::string job) { forgotten_.emplace(std::move(job), 0); }

  // `ok`: it worked. `kept`: some files were to be left, since others need them. Gives the forgotten job whose files
  // are all gone. Answers that nobody waits for are ignored.
  std::optional<std::string> Answered(std::int64_t now, std::uint64_t request, bool ok, bool kept);

 private:
  struct Job {
    bool ended = false;
    bool done = false;  // has ended, and was looked through since
    std::int64_t due = 0;
  };
  Sweep Ask(std::int64_t now, std::string job, bool all);

  const std::int64_t interval_us_;
  std::map<std::string, Job> jobs_;
  std::map<std::string, std::int64_t> forgotten_;  // due when
  std::optional<Sweep> under_way_;
  std::int64_t asked_at_ = 0;
  std::uint64_t next_request_ = 0;
};

}  // namespace millrace
