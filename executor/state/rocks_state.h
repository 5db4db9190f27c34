// The state of partitions on disk, beyond what fits into memory: each partition's is a StateStore, and all of them
// share one RocksDB database and one cap on memory.
//
//   RocksState state(dir, 256 << 20);
//   MR_ASSIGN_OR_RETURN(auto store, state.Load(entries, change_log));   // what is given to Program::NewState
//
// A store keeps its newest writes in a set, where reads find them first. From there they go to the database, in small
// steps, and to the change log, as a set, when a snapshot is taken or the set is full. There is no rollback: writes of
// a task that fails may have left the set already; its partition is dropped and restored from its checkpoint.
//
// RocksState is thread-safe; a store is used by one thread at a time, and is dropped by its destruction. Calls of
// StateStore throw std::runtime_error; status() keeps the error. When the database is damaged, or its disk has been
// full, the next Load opens another one; the broken one goes with its last store, and all of those fail at their next
// write.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "executor/state/change_log.h"
#include "executor/state/entry_cursor.h"
#include "executor/state/rocks_database.h"
#include "executor/state/write_set.h"
#include "millrace/engine.h"

namespace millrace {

class RocksStore;

class RocksState {
 public:
  // The folder is its alone; it is made when it is needed, and removed at the end.
  RocksState(std::string dir, std::uint64_t memory_budget_bytes);
  ~RocksState();

  // A partition's state, filled with these entries. The log gets what changes from now on. The store must not outlive
  // this object.
  absl::StatusOr<std::unique_ptr<RocksStore>> Load(EntryCursor& entries, std::shared_ptr<ChangeLog> log);

  std::uint64_t memory_bytes() const;  // but for the write sets
  std::uint64_t disk_bytes() const;
  std::uint64_t entries() const;  // roughly

 private:
  friend class RocksStore;
  absl::StatusOr<std::shared_ptr<RocksDatabase>> Database();
  std::shared_ptr<RocksDatabase> current() const;
  std::size_t write_set_limit() const;

  const std::string dir_;
  const std::uint64_t memory_budget_bytes_;
  const std::shared_ptr<RocksMemory> memory_;
  std::atomic<std::uint64_t> next_space_{1};
  std::atomic<std::uint64_t> stores_{0};
  mutable std::mutex mutex_;  // guards all below
  std::shared_ptr<RocksDatabase> database_;
  std::uint64_t generation_ = 0;
};

class RocksStore final : public engine::StateStore {
 public:
  RocksStore(RocksState& state, std::shared_ptr<RocksDatabase> database, std::uint64_t space,
             std::shared_ptr<ChangeLog> log);
  ~RocksStore() override;

  bool Get(std::string_view key, std::string& value) override;
  void Put(std::string_view key, std::string_view value) override;
  void Delete(std::string_view key) override;
  void Scan(std::string_view from, std::string_view to,
            const std::function<bool(std::string_view key, std::string_view value)>& visit) override;

  // What was written is state now.
  absl::Status Commit();
  // Hands the changes over to the log. FailedPrecondition when some are not committed.
  absl::Status GiveChanges();

  // The first error of all; from then on the store is only good for destruction.
  const absl::Status& status() const { return status_; }
  // From any thread.
  std::uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  template <class Act>
  void Write(std::size_t bytes, Act&& act);
  absl::Status Flush();
  absl::Status MakeRoom();
  // Throws the error.
  void Require(absl::Status status);

  RocksState& state_;
  const std::shared_ptr<RocksDatabase> database_;
  const std::uint64_t space_;
  const std::shared_ptr<ChangeLog> log_;
  WriteSet recent_;                   // what the log does not have yet
  std::vector<std::uint32_t> queue_;  // of recent_: what the database does not have yet
  std::size_t queued_bytes_ = 0;      // roughly
  bool uncommitted_ = false;
  int scans_ = 0;
  absl::Status status_;
  std::atomic<std::uint64_t> memory_bytes_{0};
};

}  // namespace millrace
