// Where journals lie and how they are read back: `<root>/<job id>/journal`. Used at start and by tools, while no
// JournalService writes there. Plain functions; errors name the file.
//
//   MR_ASSIGN_OR_RETURN(auto jobs, ListJobs(root));
//   for (const auto& id : jobs) { MR_ASSIGN_OR_RETURN(auto records, ReadJob(root + "/" + id)); … }
#pragma once

#include <string>
#include <vector>

#include "common/status.h"
#include "millrace/v1/durable.pb.h"

namespace millrace {

// All that counts: a Snapshot first, then what came after it. A torn tail, which was never acknowledged, is left out.
// NotFound when the directory has no journal; DataLoss when the file is damaged, is empty, has no Snapshot, or holds a
// record of unknown form.
absl::StatusOr<std::vector<v1::durable::JournalRecord>> ReadJob(const std::string& dir);

// Names of the directories in `root` that hold a journal, sorted. Empty when there is no `root`.
absl::StatusOr<std::vector<std::string>> ListJobs(const std::string& root);

// The journal goes first, durably: a removal that is interrupted does not leave half a job that comes back.
absl::Status RemoveJobDirectory(const std::string& dir);

std::string JournalPath(const std::string& dir);
std::string NewJournalPath(const std::string& dir);
absl::StatusOr<bool> JournalExists(const std::string& dir);

}  // namespace millrace
