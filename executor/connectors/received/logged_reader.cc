#include "executor/connectors/received/logged_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/log.h"
#include "common/status.h"

namespace millrace {
namespace {

using received::Position;

constexpr std::size_t kMaxHeldBytes = std::size_t{32} << 20;
constexpr std::size_t kMaxEntryBytes = std::size_t{4} << 20;  // calls are joined up to this
constexpr std::size_t kMaxRecordBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxCloseBytes = std::size_t{64} << 20;  // read from the log for one batch
constexpr std::chrono::milliseconds kFirstWait{200}, kLongestWait{5000}, kOpenWait{1000};

// Records [first, first + count) of entries, in order.
struct Slice {
  std::shared_ptr<const received::Entry> entry;
  std::size_t first = 0;
  std::size_t count = 0;
};

class SlicesBatch : public RecordBatch {
 public:
  explicit SlicesBatch(std::vector<Slice> slices) : slices_(std::move(slices)) {}
  std::span<const engine::SourceRecord> Next() override {
    while (slice_ < slices_.size()) {
      const Slice& slice = slices_[slice_];
      const std::size_t n = std::min(engine::kChunkRecords, slice.count - used_);
      if (n == 0) {
        ++slice_, used_ = 0;
        continue;
      }
      const auto chunk = slice.entry->records().subspan(slice.first + used_, n);
      used_ += n;
      return chunk;
    }
    return {};
  }

 private:
  const std::vector<Slice> slices_;
  std::size_t slice_ = 0;
  std::size_t used_ = 0;
};

}  // namespace

LoggedReader::LoggedReader(std::string where, std::string log, std::shared_ptr<CheckpointStore> storage,
                           std::unique_ptr<Receiver> receiver, std::shared_ptr<ReceiverProblem> problem)
    : where_(std::move(where)),
      log_(std::move(storage), std::move(log)),
      receiver_(std::move(receiver)),
      problem_(std::move(problem)),
      thread_([this] { Run(); }) {
  problem_->Watch(receiver_.get());
}

LoggedReader::~LoggedReader() {
  problem_->Watch(nullptr);
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  StopReceiver();
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// ---- batches ----

absl::StatusOr<Position> LoggedReader::At(std::string_view text) const {
  MR_ASSIGN_OR_RETURN(Position position, Position::Parse(text));
  if (position.log != log_.name())
    return InvalidArgument(where_, ": position '", text, "' is not in the log ", log_.name());
  return position;
}

absl::StatusOr<LoggedReader::EntryPtr> LoggedReader::Get(std::uint64_t number) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto held = held_.find(number); held != held_.end()) return held->second;
  }
  auto entry = log_.Read(number);
  if (absl::IsNotFound(entry.status()))
    return DataLoss(where_, ": what it had received is gone from the storage: ", Message(entry.status()));
  return entry;
}

absl::StatusOr<ClosedRange> LoggedReader::Close(std::string_view start, std::uint64_t max_records) {
  MR_ASSIGN_OR_RETURN(const Position from, At(start));
  ClosedRange range;
  range.end = start;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kOpenWait, [this] { return opened_; });
    if (!opened_ && draining_) return Unavailable(where_, ": ", problem_->text());
    if (!opened_) {
      range.data = std::make_unique<SlicesBatch>(std::vector<Slice>());
      return range;
    }
  }
  const std::uint64_t log_end = log_.end();
  Position at = from, end = from;
  std::vector<Slice> slices;
  std::size_t bytes = 0;
  while (at.entry < log_end && bytes < kMaxCloseBytes && (max_records == 0 || range.records < max_records)) {
    MR_ASSIGN_OR_RETURN(EntryPtr entry, Get(at.entry));
    const std::size_t all = entry->records().size();
    std::size_t n = at.record < all ? all - at.record : 0;
    if (max_records != 0) n = std::min<std::size_t>(n, max_records - range.records);
    const bool whole = at.record + n >= all;
    bytes += entry->bytes();
    if (n > 0) slices.push_back({std::move(entry), at.record, n});
    range.records += n;
    at = whole ? Position{at.log, at.entry + 1, 0} : Position{at.log, at.entry, at.record + n};
    if (n > 0) end = at;
  }
  range.end = end.text();
  range.data = std::make_unique<SlicesBatch>(std::move(slices));
  {
    const std::lock_guard lock(mutex_);
    while (!held_.empty() && held_.begin()->first < at.entry) {
      held_bytes_ -= held_.begin()->second->bytes();
      held_.erase(held_.begin());
    }
  }
  changed_.notify_all();
  return range;
}

absl::StatusOr<std::unique_ptr<RecordBatch>> LoggedReader::Read(std::string_view start, std::string_view end) {
  MR_ASSIGN_OR_RETURN(Position at, At(start));
  MR_ASSIGN_OR_RETURN(const Position to, At(end));
  std::vector<Slice> slices;
  while (at.entry < to.entry || (at.entry == to.entry && at.record < to.record)) {
    MR_ASSIGN_OR_RETURN(EntryPtr entry, Get(at.entry));
    const std::size_t last = at.entry < to.entry ? entry->records().size() : to.record;
    if (last > entry->records().size())
      return DataLoss(where_, ": entry ", at.entry, " of its log has fewer records than were read before");
    if (at.record < last) slices.push_back({std::move(entry), at.record, last - at.record});
    at = {at.log, at.entry + 1, 0};
  }
  return std::make_unique<SlicesBatch>(std::move(slices));
}

void LoggedReader::Drain() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(draining_, true)) return;
  }
  changed_.notify_all();
  StopReceiver();
}

void LoggedReader::Forget(std::string_view end) {
  const absl::StatusOr<Position> position = At(end);
  if (!position.ok()) return;
  if (const absl::Status status = log_.DropBefore(position->entry); !status.ok())
    log::Warn("what was received and is done with stays", {{"log", log_.name()}, {"error", Message(status)}});
}

// ---- the receiver ----

absl::Status LoggedReader::Store(std::span<const ReceivedRecord> records) {
  Waiting call;
  call.records = records;
  for (const ReceivedRecord& record : records) call.bytes += received::EncodedBytes(record);
  for (const ReceivedRecord& record : records) {
    if (received::EncodedBytes(record) > kMaxRecordBytes)
      return InvalidArgument(where_, ": a record of ", record.value.size(), " bytes; at most ", kMaxRecordBytes,
                             " are possible");
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || draining_ || held_bytes_ < kMaxHeldBytes; });
  if (closed_) return absl::CancelledError("the receiver is being stopped");
  waiting_.push_back(&call);
  changed_.notify_all();
  changed_.wait(lock, [&] { return call.done || (closed_ && !call.taken); });
  if (call.done) return call.status;
  std::erase(waiting_, &call);
  return absl::CancelledError("the receiver is being stopped");
}

void LoggedReader::StartReceiver() {
  const std::lock_guard lock(receiving_);
  if (stopped_) return;
  started_ = true;
  if (const absl::Status status = receiver_->Start(*this); !status.ok()) problem_->Set(Message(status));
}

void LoggedReader::StopReceiver() {
  const std::lock_guard lock(receiving_);
  if (std::exchange(stopped_, true) || !started_) return;
  receiver_->Stop();
}

void LoggedReader::Run() {
  if (!Open()) return;
  StartReceiver();
  for (;;) {
    const std::vector<Waiting*> calls = TakeWaiting();
    if (calls.empty()) return;
    Write(calls);
  }
}

// Until the storage lets it.
bool LoggedReader::Open() {
  for (std::chrono::milliseconds wait = kFirstWait;; wait = std::min(wait * 2, kLongestWait)) {
    absl::Status status = log_.Claim();
    if (status.ok()) status = RememberIds();
    std::unique_lock lock(mutex_);
    if (status.ok()) {
      problem_->Set("");
      opened_ = true;
      changed_.notify_all();
      return true;
    }
    problem_->Set(Concat(where_, " cannot open its log: ", Message(status)));
    changed_.wait_for(lock, wait, [this] { return ended_; });
    if (ended_) return false;
  }
}

// Of the entries that the owner before wrote last: what he had not acknowledged comes again.
absl::Status LoggedReader::RememberIds() {
  const std::uint64_t end = log_.end();
  for (std::uint64_t number = end - std::min<std::uint64_t>(end, ReceivedLog::kNewestKept); number < end; ++number) {
    const auto entry = log_.Read(number);
    if (absl::IsNotFound(entry.status())) continue;
    if (!entry.ok()) return entry.status();
    for (const std::string_view id : (*entry)->ids()) ids_.Add(id);
  }
  return absl::OkStatus();
}

// Empty: the reader is at its end.
std::vector<LoggedReader::Waiting*> LoggedReader::TakeWaiting() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
  std::vector<Waiting*> calls;
  std::size_t bytes = 0;
  while (!ended_ && !waiting_.empty() && (calls.empty() || bytes + waiting_.front()->bytes <= kMaxEntryBytes)) {
    bytes += waiting_.front()->bytes;
    waiting_.front()->taken = true;
    calls.push_back(waiting_.front());
    waiting_.erase(waiting_.begin());
  }
  return calls;
}

void LoggedReader::Write(const std::vector<Waiting*>& calls) {
  std::vector<const ReceivedRecord*> fresh;
  std::set<std::string_view> among;  // ids that are there twice in this very entry
  for (const Waiting* call : calls) {
    for (const ReceivedRecord& record : call->records) {
      if (record.id.empty() || (!ids_.Contains(record.id) && among.insert(record.id).second)) fresh.push_back(&record);
    }
  }
  absl::Status status;
  EntryPtr entry;
  if (!fresh.empty()) {
    absl::StatusOr<EntryPtr> stored = log_.Append(fresh);
    status = stored.status();
    if (stored.ok()) entry = *std::move(stored);
  }
  problem_->Set(status.ok() ? "" : Concat(where_, " cannot store what it receives: ", Message(status)));
  if (entry) {
    for (const std::string_view id : entry->ids()) ids_.Add(id);
  }
  const std::lock_guard lock(mutex_);
  if (entry) {
    held_bytes_ += entry->bytes();
    held_[log_.end() - 1] = std::move(entry);
  }
  for (Waiting* call : calls) {
    call->status = status;
    call->done = true;
  }
  changed_.notify_all();
}

}  // namespace millrace
