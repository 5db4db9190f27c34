// The file system calls of the files sink, each with its error named: write durably, publish by rename, list, clean.
//
// Stateless but for the paths; one thread at a time. A full disk is ResourceExhausted and names the path.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/sink.h"

namespace millrace {

class OutputDirectory {
 public:
  explicit OutputDirectory(std::string path);

  // Makes the directory and its staging folder, with missing parents.
  absl::Status Create() const;
  // FailedPrecondition when the outputs of `sink` here were made by another job; else notes that they are this job's.
  absl::Status Claim(std::string_view sink, std::string_view job_id) const;
  // The highest batch among visible files "<prefix><batch><suffix>", 0 if there are none.
  absl::StatusOr<std::uint64_t> HighestBatch(std::string_view prefix, std::string_view suffix) const;
  // Removes what earlier writers left in the staging folder under this prefix.
  absl::Status RemoveStaged(std::string_view prefix) const;
  // Writes the rows and syncs the file. After an error nothing is left of it.
  absl::Status WriteStaged(const std::string& name, std::span<const engine::SinkRow> rows) const;
  // Renames a staged file into place and syncs the directory. An existing file stays as it is and counts as success.
  absl::Status Publish(const std::string& staged, const std::string& name) const;

 private:
  std::string Staged(std::string_view name) const;
  absl::Status SyncDirectory(const std::string& path) const;

  const std::string path_;
  const std::string staging_;
};

}  // namespace millrace
