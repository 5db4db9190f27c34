// Where the files sink puts its files: a directory, or a bucket of an S3 store. A place belongs to one writer.
//
// A file is staged, unseen, and then published: it appears complete, and one that is there already stays as it is, for
// it was made of the same rows. One thread at a time. Errors: Aborted when a newer owner has taken what was staged;
// ResourceExhausted when there is no room; what the file system and the S3 client say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/files/row_text.h"

namespace millrace {

class OutputPlace {
 public:
  virtual ~OutputPlace() = default;
  // FailedPrecondition when the outputs of `sink` here were made by another job; else notes that they are this job's.
  // Makes what is missing.
  virtual absl::Status Claim(std::string_view sink, std::string_view job_id) = 0;
  // The highest batch among visible files "<prefix><batch><suffix>", 0 if there are none.
  virtual absl::StatusOr<std::uint64_t> HighestBatch(std::string_view prefix, std::string_view suffix) = 0;
  // Takes away what earlier writers have staged for files of this prefix, which is their fence.
  virtual absl::Status RemoveStaged(std::string_view prefix) = 0;
  // Stages the text for the file `name`, in place of what was staged before. `owner` is no other writer's.
  virtual absl::Status Stage(const std::string& name, const std::string& owner, RowText text) = 0;
  // Publishes what was staged last.
  virtual absl::Status Publish() = 0;
};

}  // namespace millrace
