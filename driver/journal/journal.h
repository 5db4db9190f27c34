// The driver's write-ahead log: one file a job, one thread for all, group commit. Whatever is appended while the thread
// waits for the disk becomes durable with the next fdatasync of its file, so a busy driver pays few syncs for many
// records.
//
//   JournalService journal({.on_compact = [&](const std::string& job) { control.Post(Compact{job}); }});
//   MR_RETURN_IF_ERROR(journal.OpenJob(id, dir));
//   MR_RETURN_IF_ERROR(journal.Append(id, record, [&](absl::Status status) { control.Post(Durable{id, batch, status});
//   }));
//
// Thread-safe; no call waits for the disk. `done` runs on the journal's thread, exactly once if Append returned OK, in
// the order of the Appends of that job: with OK when the record is durable, with an error when the file is broken for
// good. It should post an event and return; it may call this class. A full disk breaks nothing: records wait, are tried
// again, and problem() says so.
//
// The queue is bounded: past `max_queued_bytes` Append refuses (ResourceExhausted, `done` is not called). A caller that
// watches queued_bytes() stops cutting batches long before. The destructor makes one last try at what is queued; what
// stays gets Unavailable.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/status.h"
#include "driver/journal/job_log.h"
#include "driver/journal/journal_files.h"
#include "millrace/v1/durable.pb.h"

namespace millrace {

struct JournalOptions {
  std::uint64_t compact_bytes = std::uint64_t{16} << 20;     // a file longer than this is asked to be compacted
  std::uint64_t max_queued_bytes = std::uint64_t{64} << 20;  // a job
  std::chrono::milliseconds lazy_delay{100};                 // how long a lazy record may wait for company
  std::chrono::milliseconds retry_delay{200};                // between tries on a full disk
  // Once each time a file has outgrown its limit, on the journal's thread: answer with Rewrite, from any thread.
  std::function<void(const std::string& job_id)> on_compact{};
  JournalFence fence{};  // of a term that can be over without its driver's knowing; asked at least every `fence_look`
  std::chrono::milliseconds fence_look{1000};
  // The fence has refused a group of records, which count as not durable: the term is over. On the journal's thread,
  // once, before anybody is told.
  std::function<void(const absl::Status& why)> on_fenced_out{};
};

enum class Durability {
  kNow,   // sync as soon as the thread is free
  kLazy,  // nobody waits: ride with the next sync (Committed)
};

class JournalService {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit JournalService(JournalOptions options);
  ~JournalService();
  JournalService(const JournalService&) = delete;
  JournalService& operator=(const JournalService&) = delete;

  // AlreadyExists when the id is open. Touches no file: errors of the directory go to the `done` of the first record. A
  // new job's first record must be a Snapshot; an old one's file is continued, behind what ReadJob returns.
  absl::Status OpenJob(const std::string& job_id, const std::string& dir);

  // NotFound when the job is not open, InvalidArgument when the record is longer than 64 MiB, ResourceExhausted when
  // too much waits.
  absl::Status Append(const std::string& job_id, const v1::durable::JournalRecord& record, Done done,
                      Durability durability = Durability::kNow);

  // Begins the file anew with `snapshot`, which must tell everything that was appended before, durable or not. Later
  // records go behind it. Not refused by a full queue, for it is the way out of one.
  absl::Status Rewrite(const std::string& job_id, v1::durable::Snapshot snapshot, Done done = nullptr);

  // `done` when all that was appended before is durable.
  absl::Status AwaitDurable(const std::string& job_id, Done done);

  // Closes the file once all that is queued is durable, or broken. `done` may be null.
  absl::Status CloseJob(const std::string& job_id, Done done = nullptr);

  // Removes the job's directory. What is queued gets Aborted.
  absl::Status RemoveJob(const std::string& job_id, Done done = nullptr);

  // What hinders this job's journal now, for its status; empty when nothing does.
  std::string problem(const std::string& job_id) const;

  // Not yet durable: of one job, of all.
  std::uint64_t queued_bytes(const std::string& job_id) const;
  std::uint64_t queued_bytes() const;

 private:
  struct Job;
  struct Turn;
  using Time = std::chrono::steady_clock::time_point;

  absl::Status Enqueue(const std::string& job_id, const v1::durable::JournalRecord& record, Done done,
                       Durability durability);
  absl::Status End(const std::string& job_id, bool remove, Done done);
  absl::StatusOr<std::shared_ptr<Job>> Find(const std::string& job_id) const;
  void Wake(Job& job, Time due);

  void Run();
  std::vector<Turn> TakeDue(Time now, bool all);
  Time NextDue() const;
  void Serve(Turn& turn, bool last);
  void CommitGroup(Job& job, bool last);
  void LookAtFence(Time now);
  void FencedOut(const absl::Status& why);
  void Finish(Job& job, const absl::Status& status);
  void EndJob(Job& job);

  const JournalOptions options_;

  mutable std::mutex mutex_;  // guards all below but the thread, and what Job says
  std::condition_variable wake_;
  std::map<std::string, std::shared_ptr<Job>> jobs_;
  bool stopping_ = false;
  bool fenced_out_ = false;  // this and the next are the thread's alone
  Time next_look_ = Time::max();
  std::thread thread_;
};

}  // namespace millrace
