// What one partition's next checkpoint file has to say: all changes since the last one was saved, and the chain of
// files that it continues. Changes come in sets, newer after older; sets that take too much memory are written to the
// scratch folder, sorted. A snapshot is a mark: Seal says that all changes until now belong to it. Saving it reads what
// was sealed, while newer sets come in.
//
//   log.Add(std::move(changes));                              // the partition's worker
//   const std::uint64_t interval = log.Seal();
//   MR_ASSIGN_OR_RETURN(StateChain chain, log.Save(interval, batch));      // in the background
//
// Nothing is lost when a Save fails or is left out: it may be tried again, and the next one has it all. Thread rule:
// Add, AddOnDisk and Seal by one thread at a time, Save by one at a time, both at once, Abandon by any. Errors are
// those of the stores; DataLoss when a file of the chain is damaged that was to be merged into a new base;
// FailedPrecondition when saving has become pointless.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "common/dataflow/messages.h"
#include "executor/state/state_chain.h"
#include "executor/state/write_set.h"

namespace millrace {

class ChangeLog {
 public:
  // `chain`: what the partition was restored from; may be empty.
  ChangeLog(std::shared_ptr<StatePlaces> places, TaskKey task, StateChain chain);
  ~ChangeLog();

  void Add(WriteSet set);
  // After an error the set is lost, and the partition must be dropped.
  absl::Status AddOnDisk(WriteSet set);
  std::uint64_t Seal();

  // Gives the whole chain: as it was when nothing has changed, else with a delta more, or a new base that replaces it.
  // FailedPrecondition: the log is abandoned, or a later interval was saved and the chain says more than this one.
  absl::StatusOr<StateChain> Save(std::uint64_t interval, std::uint64_t batch);

  // The partition is gone: what is not saved yet is wanted by nobody, and would be a file that nobody knows of.
  void Abandon() { abandoned_ = true; }

  std::uint64_t memory_bytes() const;
  // What the next file will continue.
  StateChain chain() const;
  const TaskKey& task() const { return task_; }

 private:
  struct Run;
  using Runs = std::vector<std::shared_ptr<Run>>;
  absl::StatusOr<std::shared_ptr<Run>> WriteRun(EntryCursor& entries, std::uint64_t interval);
  absl::StatusOr<std::vector<std::unique_ptr<EntryCursor>>> Open(const Runs& runs) const;
  absl::Status CheckWanted(std::uint64_t interval) const;
  absl::Status Fold();
  void Consolidate(const Runs& runs);
  void Replace(const Runs& runs, std::shared_ptr<Run> by);
  bool WantsBase(const StateChain& chain, const Runs& runs) const;
  absl::StatusOr<StateFile> Write(const StateChain& chain, const Runs& runs, std::uint64_t batch, bool base);

  const std::shared_ptr<StatePlaces> places_;
  const TaskKey task_;
  std::atomic<bool> abandoned_{false};
  mutable std::mutex mutex_;  // guards all below
  Runs runs_;                 // the oldest first
  std::uint64_t interval_ = 1;
  std::uint64_t saved_ = 0;  // the last interval that was
  StateChain chain_;
};

}  // namespace millrace
