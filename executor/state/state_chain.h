// The files of one partition's checkpoint: a base, and deltas in the order in which they were written. And where they
// are kept: what all partitions of a runner share.
//
//   MR_ASSIGN_OR_RETURN(auto runs, OpenChain(store, chain));
//   MergeCursor entries(std::move(runs), Deleted::kDrop);      // the state
//
// Errors: InvalidArgument for a chain that does not begin with its only base; DataLoss, naming the file, when one is
// damaged or holds something else than the chain says; the store's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/dataflow/messages.h"
#include "executor/state/checkpoint_store.h"
#include "executor/state/entry_cursor.h"

namespace millrace {

// Shared by the partitions of a runner; thread-safe.
struct StatePlaces {
  std::shared_ptr<CheckpointStore> checkpoints;
  std::shared_ptr<CheckpointStore> scratch;  // this runner's alone; need not survive it
  std::string job_id;
  std::string unique;  // no other process ever has it: a zombie cannot take our names, nor we its
  int deltas_per_base = 8;
  std::atomic<std::uint64_t> next_file{0};

  // A name that was never used: "j-1/s3-p2-b17-UNIQUE-4.delta".
  std::string NewName(TaskKey task, std::uint64_t batch, bool base);
};

// Which of these files are damaged or missing, each with why; reads all of them. Unavailable and so on when that cannot
// be told, also when the store has none of them nor anything beside them: then it is not there.
struct DamagedFile {
  std::string name;
  std::string why;
};
absl::StatusOr<std::vector<DamagedFile>> FindDamaged(CheckpointStore& store, const StateChain& chain);

// The oldest first.
absl::StatusOr<std::vector<std::unique_ptr<EntryCursor>>> OpenChain(CheckpointStore& store, const StateChain& chain);

}  // namespace millrace
