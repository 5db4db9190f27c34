#include "driver/journal/journal.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/io/record_log.h"
#include "common/log.h"
#include "driver/journal/job_log.h"

namespace millrace {
namespace {

using v1::durable::JournalRecord;
using Clock = std::chrono::steady_clock;

}  // namespace

struct JournalService::Job {
  Job(std::string job_id, std::string dir, const JournalOptions& options)
      : id(std::move(job_id)), log(std::move(dir), options.compact_bytes, options.fence) {}

  const std::string id;

  // Guarded by mutex_.
  std::vector<JournalEntry> queue;
  std::uint64_t queued_bytes = 0;  // of queue and inflight
  Time due = Time::max();          // when the thread shall look at it
  bool retrying = false;           // the disk was full: due is the next try, whatever comes in
  std::string problem;
  bool ending = false;
  bool removing = false;
  std::vector<Done> ended;

  // The journal thread's alone.
  JobLog log;
  std::vector<JournalEntry> inflight;
};

// One job's share of a round, with what the thread must know of its guarded part.
struct JournalService::Turn {
  std::shared_ptr<Job> job;
  bool ending;
  bool removing;
};

JournalService::JournalService(JournalOptions options) : options_(std::move(options)), thread_([this] { Run(); }) {}

JournalService::~JournalService() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

absl::Status JournalService::OpenJob(const std::string& job_id, const std::string& dir) {
  std::lock_guard lock(mutex_);
  auto [at, added] = jobs_.try_emplace(job_id);
  if (!added) return AlreadyExists("journal of job ", job_id, " is open already");
  at->second = std::make_shared<Job>(job_id, dir, options_);
  return absl::OkStatus();
}

absl::Status JournalService::Append(const std::string& job_id, const JournalRecord& record, Done done,
                                    Durability durability) {
  return Enqueue(job_id, record, std::move(done), durability);
}

absl::Status JournalService::Rewrite(const std::string& job_id, v1::durable::Snapshot snapshot, Done done) {
  JournalRecord record;
  *record.mutable_snapshot() = std::move(snapshot);
  return Enqueue(job_id, record, std::move(done), Durability::kNow);
}

absl::Status JournalService::Enqueue(const std::string& job_id, const JournalRecord& record, Done done,
                                     Durability durability) {
  if (record.record_case() == JournalRecord::RECORD_NOT_SET)
    return InvalidArgument("journal record of job ", job_id, " is empty");
  if (record.ByteSizeLong() > kMaxRecordBytes) {
    return InvalidArgument("journal record of job ", job_id, " has ", record.ByteSizeLong(),
                           " bytes, more than the limit of ", kMaxRecordBytes);
  }
  JournalEntry entry{record.SerializeAsString(), record.has_snapshot(), std::move(done), record.planned().batch()};
  const std::uint64_t bytes = entry.payload.size() + kRecordHeaderBytes;

  std::lock_guard lock(mutex_);
  if (stopping_) return Unavailable("journal of job ", job_id, ": the driver stops");
  MR_ASSIGN_OR_RETURN(const std::shared_ptr<Job> job, Find(job_id));
  if (job->queued_bytes > 0 && job->queued_bytes + bytes > options_.max_queued_bytes && !entry.snapshot) {
    return ResourceExhausted("journal of job ", job_id, ": ", job->queued_bytes, " bytes wait to be written already",
                             job->problem.empty() ? "" : "; ", job->problem);
  }
  job->queue.push_back(std::move(entry));
  job->queued_bytes += bytes;
  Wake(*job, durability == Durability::kNow ? Clock::now() : Clock::now() + options_.lazy_delay);
  return absl::OkStatus();
}

absl::Status JournalService::AwaitDurable(const std::string& job_id, Done done) {
  std::lock_guard lock(mutex_);
  if (stopping_) return Unavailable("journal of job ", job_id, ": the driver stops");
  MR_ASSIGN_OR_RETURN(const std::shared_ptr<Job> job, Find(job_id));
  job->queue.push_back({"", false, std::move(done), 0});
  job->queued_bytes += kRecordHeaderBytes;
  Wake(*job, Clock::now());
  return absl::OkStatus();
}

absl::Status JournalService::CloseJob(const std::string& job_id, Done done) {
  return End(job_id, false, std::move(done));
}
absl::Status JournalService::RemoveJob(const std::string& job_id, Done done) {
  return End(job_id, true, std::move(done));
}

absl::Status JournalService::End(const std::string& job_id, bool remove, Done done) {
  std::lock_guard lock(mutex_);
  const auto at = jobs_.find(job_id);
  // A removal may overtake a close that waits for a full disk.
  if (at == jobs_.end() || (at->second->ending && !(remove && !at->second->removing))) {
    return NotFound("journal of job ", job_id, " is not open");
  }
  const std::shared_ptr<Job>& job = at->second;
  job->ending = true;
  job->removing = remove;
  job->ended.push_back(std::move(done));
  // A removal frees space: it does not wait for a disk that is full.
  if (remove) job->retrying = false;
  Wake(*job, Clock::now());
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<JournalService::Job>> JournalService::Find(const std::string& job_id) const {
  const auto at = jobs_.find(job_id);
  if (at == jobs_.end() || at->second->ending) return NotFound("journal of job ", job_id, " is not open");
  return at->second;
}

void JournalService::Wake(Job& job, Time due) {
  if (job.retrying || due >= job.due) return;
  job.due = due;
  wake_.notify_one();
}

std::string JournalService::problem(const std::string& job_id) const {
  std::lock_guard lock(mutex_);
  const auto at = jobs_.find(job_id);
  return at == jobs_.end() ? std::string() : at->second->problem;
}

std::uint64_t JournalService::queued_bytes(const std::string& job_id) const {
  std::lock_guard lock(mutex_);
  const auto at = jobs_.find(job_id);
  return at == jobs_.end() ? 0 : at->second->queued_bytes;
}

std::uint64_t JournalService::queued_bytes() const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [id, job] : jobs_) sum += job->queued_bytes;
  return sum;
}

// ---- the journal's thread ----

void JournalService::Run() {
  std::unique_lock lock(mutex_);
  if (options_.fence.epoch > 0) next_look_ = Clock::now() + options_.fence_look;
  while (true) {
    const bool last = stopping_;
    if (Clock::now() >= next_look_) {
      lock.unlock();
      LookAtFence(Clock::now());
      lock.lock();
      continue;
    }
    std::vector<Turn> turns = TakeDue(Clock::now(), last);
    if (turns.empty() && !last) {
      const Time due = NextDue();
      due == Time::max() ? wake_.wait(lock) : static_cast<void>(wake_.wait_until(lock, due));
      continue;
    }
    lock.unlock();
    for (Turn& turn : turns) Serve(turn, last);
    turns.clear();
    lock.lock();
    if (last) return;
  }
}

std::vector<JournalService::Turn> JournalService::TakeDue(Time now, bool all) {
  std::vector<Turn> turns;
  for (auto& [id, job] : jobs_) {
    if (job->due > now && !all) continue;
    job->due = Time::max();
    job->retrying = false;
    std::move(job->queue.begin(), job->queue.end(), std::back_inserter(job->inflight));
    job->queue.clear();
    turns.push_back({job, job->ending, job->removing});
  }
  return turns;
}

JournalService::Time JournalService::NextDue() const {
  Time next = next_look_;
  for (const auto& [id, job] : jobs_) next = std::min(next, job->due);
  return next;
}

void JournalService::Serve(Turn& turn, bool last) {
  Job& job = *turn.job;
  if (turn.removing) {
    Finish(job, Aborted("job ", job.id, " was removed"));
  } else if (!job.inflight.empty()) {
    CommitGroup(job, last);
  }
  if (turn.ending && job.inflight.empty()) EndJob(job);
}

void JournalService::CommitGroup(Job& job, bool last) {
  const absl::Status status = job.log.Commit(job.inflight);
  if (job.log.fenced_out()) FencedOut(status);
  if (!status.ok() && !job.log.broken()) {
    const std::string problem =
        Concat("journal: ", Message(status), "; ", job.inflight.size(), " records wait and are tried again every ",
               options_.retry_delay.count(), " ms: free space there");
    log::Warn("journal cannot be written",
              {{"job", job.id}, {"error", Message(status)}, {"waiting", job.inflight.size()}});
    if (last) return Finish(job, Unavailable("the driver stops before the record is durable: ", Message(status)));
    std::lock_guard lock(mutex_);
    job.problem = problem;
    // A removal that was asked for meanwhile must not wait.
    job.retrying = !job.removing;
    job.due = job.removing ? Clock::now() : Clock::now() + options_.retry_delay;
    return;
  }
  {
    std::lock_guard lock(mutex_);
    job.problem =
        status.ok() ? ""
                    : Concat("journal: ", Message(status), "; it takes no more records until the driver is restarted");
  }
  if (!status.ok()) log::Error("journal is broken", {{"job", job.id}, {"error", Message(status)}});
  Finish(job, status);
  if (!last && job.log.TakeCompactionRequest() && options_.on_compact) options_.on_compact(job.id);
}

// A driver that has nothing to write must find out, too. Where it cannot be known, nothing hangs on it now.
void JournalService::LookAtFence(Time now) {
  next_look_ = now + options_.fence_look;
  if (const absl::Status status = options_.fence.check(); absl::IsAborted(status)) FencedOut(status);
}

void JournalService::FencedOut(const absl::Status& why) {
  next_look_ = Time::max();
  if (!std::exchange(fenced_out_, true) && options_.on_fenced_out) options_.on_fenced_out(why);
}

void JournalService::Finish(Job& job, const absl::Status& status) {
  std::uint64_t bytes = 0;
  for (const auto& entry : job.inflight) bytes += entry.payload.size() + kRecordHeaderBytes;
  {
    std::lock_guard lock(mutex_);
    job.queued_bytes -= bytes;
  }
  for (const auto& entry : job.inflight) {
    if (entry.done) entry.done(status);
  }
  job.inflight.clear();
}

void JournalService::EndJob(Job& job) {
  std::unique_lock lock(mutex_);
  absl::Status status;
  if (job.removing) {
    lock.unlock();
    status = job.log.Remove();
    lock.lock();
  }
  const std::vector<Done> ended = std::move(job.ended);
  jobs_.erase(job.id);
  lock.unlock();
  for (const Done& done : ended) {
    if (done) done(status);
  }
}

}  // namespace millrace
