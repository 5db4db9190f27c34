#include "driver/journal/job_log.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "driver/journal/journal_files.h"

namespace millrace {
namespace {

absl::Status WriteNew(RecordLogWriter& writer, std::span<const JournalEntry> entries) {
  for (const auto& entry : entries) {
    if (!entry.payload.empty()) MR_RETURN_IF_ERROR(writer.Append(entry.payload));
  }
  return writer.Sync();
}

}  // namespace

JobLog::JobLog(std::string dir, std::uint64_t compact_bytes, JournalFence fence)
    : dir_(std::move(dir)),
      compact_bytes_(compact_bytes),
      fence_(std::move(fence)),
      mark_(PlannedMarkPath(JournalPath(dir_, fence_.epoch))),
      compact_at_(compact_bytes) {}

std::string JobLog::path() const { return JournalPath(dir_, fence_.epoch); }

absl::Status JobLog::Commit(std::span<const JournalEntry> entries) {
  if (broken()) return broken_;
  MR_RETURN_IF_ERROR(Begin());
  absl::Status status = Write(entries);
  // A file that cannot be written may be one that the next term has removed.
  if (status.ok() || broken()) {
    if (absl::Status over = AskFence(); !over.ok()) status = std::move(over);
  }
  MR_RETURN_IF_ERROR(status);
  for (const JournalEntry& entry : entries) mark_.Note(entry.planned);
  if (fence_.epoch > 0 && !std::exchange(alone_, true)) {
    if (const absl::Status removed = RemoveOlderJournals(dir_, fence_.epoch); !removed.ok())
      log::Warn("journals of older terms stay", {{"dir", dir_}, {"error", Message(removed)}});
  }
  return absl::OkStatus();
}

absl::Status JobLog::AskFence() {
  if (fence_.epoch == 0) return absl::OkStatus();
  absl::Status status = fence_.check();
  fenced_out_ = !status.ok();
  return Break(std::move(status));
}

absl::Status JobLog::Write(std::span<const JournalEntry> entries) {
  const auto last = std::find_if(entries.rbegin(), entries.rend(), [](const auto& entry) { return entry.snapshot; });
  if (last != entries.rend()) {
    const auto first = static_cast<std::size_t>(entries.rend() - last - 1);
    const absl::Status status = Replace(entries.subspan(first));
    if (status.ok() || broken() || !writer_) return status;
    log::Warn("journal could not be compacted, its file goes on growing",
              {{"file", path()}, {"error", Message(status)}});
    compact_at_ = writer_->durable_bytes() + compact_bytes_ / 4;
    compaction_asked_ = false;
  }
  if (!writer_)
    return Break(FailedPrecondition("journal ", path(), " does not exist and its first record is no Snapshot"));
  return Extend(entries);
}

absl::Status JobLog::Begin() {
  if (begun_) return absl::OkStatus();
  // Asked before, too: a term that slept through the job's end and removal must not make its directory again.
  MR_RETURN_IF_ERROR(AskFence());
  const std::string made = NewJournalPath(dir_, fence_.epoch);
  absl::Status status = MakeDirectories(dir_);
  if (status.ok()) status = RemoveFile(made);
  if (status.ok()) {
    auto newest = NewestJournal(dir_);
    status = newest.status();
    if (newest.ok() && *newest == fence_.epoch) {
      auto writer = RecordLogWriter::Open(path());
      status = writer.status();
      if (writer.ok()) writer_ = std::move(*writer);
    }
  }
  if (status.ok()) begun_ = true;
  return status.ok() || absl::IsResourceExhausted(status) ? status : Break(std::move(status));
}

absl::Status JobLog::Replace(std::span<const JournalEntry> entries) {
  auto made = RecordLogWriter::Create(NewJournalPath(dir_, fence_.epoch));
  absl::Status status = made.status();
  if (status.ok()) status = WriteNew(*made, entries);
  if (status.ok()) status = made->MoveTo(path());
  if (!status.ok()) {
    // Renamed, but not surely: it is not known which of the two files a restart would find, so neither may be appended
    // to.
    if (made.ok() && made->path() == path()) return Break(std::move(status));
    (void)RemoveFile(NewJournalPath(dir_, fence_.epoch));
    return writer_ || absl::IsResourceExhausted(status) ? status : Break(std::move(status));
  }
  writer_ = std::move(*made);
  compact_at_ = std::max(compact_bytes_, writer_->durable_bytes() * 2);
  compaction_asked_ = false;
  return absl::OkStatus();
}

absl::Status JobLog::Extend(std::span<const JournalEntry> entries) {
  absl::Status status = WriteNew(*writer_, entries);
  if (status.ok()) return status;
  writer_->Discard();
  return writer_->broken() || !absl::IsResourceExhausted(status) ? Break(std::move(status)) : status;
}

absl::Status JobLog::Remove() {
  writer_.reset();
  broken_ = FailedPrecondition("journal ", path(), " was removed");
  return RemoveJobDirectory(dir_);
}

bool JobLog::TakeCompactionRequest() {
  if (compaction_asked_ || broken() || !writer_ || writer_->durable_bytes() < compact_at_) return false;
  compaction_asked_ = true;
  return true;
}

absl::Status JobLog::Break(absl::Status why) {
  if (!why.ok()) broken_ = why;
  return why;
}

}  // namespace millrace
