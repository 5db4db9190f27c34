// The journal file of one job, `<dir>/journal`, or `<dir>/journal.E` of a term with a fence: commits groups of records,
// and begins the file anew at a Snapshot. Used by the journal's thread alone. Knows records only as bytes and whether
// they are a Snapshot.
//
// A group with a Snapshot in it goes to a new file (written beside the old one, synced, renamed), from the last
// Snapshot on: what is before a Snapshot is contained in it. The very first file is made the same way, so a journal
// never legitimately begins with a bad record. What has been planned is marked beside it (planned_mark.h). When the new
// file cannot be written the group is appended to the old one, for a reader begins at the last Snapshot wherever it is.
//
// With a fence, a group counts only when the fence has been asked after the sync and has let it pass (term_claim.h).
// The journals of older terms go when the first group of this one counts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "common/io/record_log.h"
#include "common/status.h"
#include "driver/journal/planned_mark.h"

namespace millrace {

struct JournalEntry {
  std::string payload;  // empty: nothing to write, but `done` is to be told when its turn has come
  bool snapshot = false;
  std::function<void(absl::Status)> done;  // may be null
  std::uint64_t planned = 0;               // the batch whose plan it is; 0: something else
};

// Of a term that can be over without its driver's knowing.
struct JournalFence {
  std::uint64_t epoch = 0;              // 0: no fence
  std::function<absl::Status()> check;  // OK while the term is not over; any thread
};

class JobLog {
 public:
  JobLog(std::string dir, std::uint64_t compact_bytes, JournalFence fence = {});

  // All entries are durable when it returns OK. ResourceExhausted with broken() false: nothing of the group is in the
  // file; come back with the same entries, in front of any newer ones. Any other error is for good.
  absl::Status Commit(std::span<const JournalEntry> entries);

  // Releases the file and removes the job's directory with all that is in it.
  absl::Status Remove();

  // The fence has refused a group: broken for good.
  bool fenced_out() const { return fenced_out_; }

  // Once each time the file has outgrown its limit: the owner should commit a Snapshot.
  bool TakeCompactionRequest();

  bool broken() const { return !broken_.ok(); }
  std::string path() const;

 private:
  absl::Status Begin();
  absl::Status Write(std::span<const JournalEntry> entries);
  absl::Status AskFence();
  absl::Status Replace(std::span<const JournalEntry> entries);
  absl::Status Extend(std::span<const JournalEntry> entries);
  absl::Status Break(absl::Status why);

  const std::string dir_;
  const std::uint64_t compact_bytes_;
  const JournalFence fence_;
  PlannedMark mark_;
  std::uint64_t compact_at_;
  bool compaction_asked_ = false;
  bool begun_ = false;
  bool fenced_out_ = false;
  bool alone_ = false;                     // no journal of an older term is left
  std::optional<RecordLogWriter> writer_;  // none until there is a file
  absl::Status broken_;
};

}  // namespace millrace
