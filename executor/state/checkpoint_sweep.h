// Deletes files of a job's checkpoints that nobody needs any more: of old checkpoints whose deletion was missed, and
// such as were written and never became part of a checkpoint. The driver says what is needed.
//
//   MR_ASSIGN_OR_RETURN(const SweepResult swept,
//                       SweepCheckpoints(store, {.job_id = "j-1", .through_batch = 40, .keep = {"j-1/s1-p0-b40-…"}}));
//
// A file says in its name after which batch it was written. Those of later batches than `through_batch` are left alone:
// they may be part of the next checkpoint. So is everything whose name is not one that we give. Errors are the store's:
// all files are tried, and the first error is given.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "executor/state/checkpoint_store.h"

namespace millrace {

struct SweepRequest {
  std::string job_id;
  std::uint64_t through_batch = 0;
  std::set<std::string> keep;
};

struct SweepResult {
  std::uint64_t files = 0;  // deleted
  std::uint64_t bytes = 0;
};

absl::StatusOr<SweepResult> SweepCheckpoints(CheckpointStore& store, const SweepRequest& request);

// "j-1/s1-p0-b17-00ff-4.delta" → 17; nothing for a name of another form.
std::optional<std::uint64_t> BatchOfStateFile(std::string_view name);

}  // namespace millrace
