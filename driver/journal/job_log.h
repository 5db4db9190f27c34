// The journal file of one job, `<dir>/journal`: commits groups of records, and begins the file anew at a Snapshot. Used
// by the journal's thread alone. Knows records only as bytes and whether they are a Snapshot.
//
// A group with a Snapshot in it goes to a new file (written beside the old one, synced, renamed), from the last
// Snapshot on: what is before a Snapshot is contained in it. The very first file is made the same way, so a journal
// never legitimately begins with a bad record. When the new file cannot be written the group is appended to the old
// one, for a reader begins at the last Snapshot wherever it is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "common/io/record_log.h"
#include "common/status.h"

namespace millrace {

struct JournalEntry {
  std::string payload;
  bool snapshot = false;
  std::function<void(absl::Status)> done;  // may be null
};

class JobLog {
 public:
  JobLog(std::string dir, std::uint64_t compact_bytes);

  // All entries are durable when it returns OK. ResourceExhausted with broken() false: nothing of the group is in the
  // file; come back with the same entries, in front of any newer ones. Any other error is for good.
  absl::Status Commit(std::span<const JournalEntry> entries);

  // Releases the file and removes the job's directory with all that is in it.
  absl::Status Remove();

  // Once each time the file has outgrown its limit: the owner should commit a Snapshot.
  bool TakeCompactionRequest();

  bool broken() const { return !broken_.ok(); }
  std::string path() const;

 private:
  absl::Status Begin();
  absl::Status Replace(std::span<const JournalEntry> entries);
  absl::Status Extend(std::span<const JournalEntry> entries);
  absl::Status Break(absl::Status why);

  const std::string dir_;
  const std::uint64_t compact_bytes_;
  std::uint64_t compact_at_;
  bool compaction_asked_ = false;
  bool begun_ = false;
  std::optional<RecordLogWriter> writer_;  // none until there is a file
  absl::Status broken_;
};

}  // namespace millrace
