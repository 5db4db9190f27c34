// The file system calls of the files sink, each with its error named: write durably, publish by rename, list, clean.
//
// One thread at a time. A full disk is ResourceExhausted and names the path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/files/output_place.h"

namespace millrace {

class OutputDirectory final : public OutputPlace {
 public:
  explicit OutputDirectory(std::string path);

  absl::Status Claim(std::string_view sink, std::string_view job_id) override;
  absl::StatusOr<std::uint64_t> HighestBatch(std::string_view prefix, std::string_view suffix) override;
  absl::Status RemoveStaged(std::string_view prefix) override;
  // Writes and syncs a file of the staging folder. After an error nothing is left of it.
  absl::Status Stage(const std::string& name, const std::string& owner, RowText text) override;
  // Renames it into place and syncs the directory.
  absl::Status Publish() override;

 private:
  // Makes the directory and its staging folder, with missing parents.
  absl::Status Create() const;
  std::string Staged(std::string_view name) const;
  absl::Status SyncDirectory(const std::string& path) const;

  const std::string path_;
  const std::string staging_;
  std::string staged_;  // what Stage has written, in the staging folder
  std::string name_;    // and what Publish will call it
};

}  // namespace millrace
