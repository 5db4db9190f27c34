// Where journals lie and how they are read back. A job's directory holds `journal`, or, of drivers that share their
// data directory, `journal.E`: each term begins a file of its own with a Snapshot, for the driver before may still
// write to its. The one of the newest term counts. Used at start and by tools. Plain functions; errors name the file.
//
//   MR_ASSIGN_OR_RETURN(auto jobs, ListJobs(root));
//   for (const auto& id : jobs) { MR_ASSIGN_OR_RETURN(auto records, ReadJob(root + "/" + id)); … }
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "millrace/v1/durable.pb.h"

namespace millrace {

// All that counts: a Snapshot first, then what came after it. A torn tail, which was never acknowledged, is left out.
// NotFound when the directory has no journal; DataLoss when the file is damaged, is empty, has no Snapshot, holds a
// record of unknown form, or ends before the newest plan that was durable.
absl::StatusOr<std::vector<v1::durable::JournalRecord>> ReadJob(const std::string& dir);

// The beginning of a journal, whatever is wrong with the rest: to say what job it was.
absl::StatusOr<v1::durable::Snapshot> ReadBeginning(const std::string& dir);

// Names of the directories in `root` that hold a journal, sorted. Empty when there is no `root`.
absl::StatusOr<std::vector<std::string>> ListJobs(const std::string& root);

// The journals go first, durably, the newest last: a removal that is interrupted does not leave half a job that comes
// back.
absl::Status RemoveJobDirectory(const std::string& dir);

// Removes the journals of terms before `epoch`.
absl::Status RemoveOlderJournals(const std::string& dir, std::uint64_t epoch);

// Epoch 0: of a driver that shares its directory with no other.
std::string JournalPath(const std::string& dir, std::uint64_t epoch = 0);
std::string NewJournalPath(const std::string& dir, std::uint64_t epoch = 0);
// Of the newest journal; nothing when there is none.
absl::StatusOr<std::optional<std::uint64_t>> NewestJournal(const std::string& dir);

}  // namespace millrace
