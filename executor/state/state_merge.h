// Several runs of entries as one: of a key that is in more than one, the newest counts. At most one block of each run
// is in memory.
//
//   MergeCursor merged(std::move(base_and_deltas), Deleted::kDrop);
//   MR_ASSIGN_OR_RETURN(const StateFileTotals totals, WriteStateFile(merged, store, "j-1/s3-p2-b17.base"));
//
// One thread at a time. Errors are those of the runs and of the store.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "executor/state/checkpoint_store.h"
#include "executor/state/entry_cursor.h"
#include "executor/state/state_file.h"

namespace millrace {

enum class Deleted {
  kKeep,  // something older lies below, in which the key may be
  kDrop,  // there is nothing below: what is deleted is not there
};

class MergeCursor final : public EntryCursor {
 public:
  // The oldest run first.
  MergeCursor(std::vector<std::unique_ptr<EntryCursor>> runs, Deleted deleted);

  absl::StatusOr<bool> Next() override;

 private:
  absl::Status Start();
  absl::Status Advance(std::size_t at);
  absl::Status SkipOlder();
  void SiftDown(std::size_t at);
  bool Before(std::size_t a, std::size_t b) const;
  bool KeyIsTop(std::size_t at) const { return at < heap_.size() && heap_[at]->key() == heap_[0]->key(); }

  std::vector<std::unique_ptr<EntryCursor>> runs_;
  const Deleted deleted_entries_;
  // Of the runs that have not ended: a heap by key, the newest first among equals.
  std::vector<EntryCursor*> heap_;
  std::vector<std::size_t> ages_;  // of heap_: the index in runs_
  bool started_ = false;
};

// Everything the cursor gives, as a file.
absl::StatusOr<StateFileTotals> WriteStateFile(EntryCursor& entries, CheckpointStore& store, const std::string& name);

}  // namespace millrace
