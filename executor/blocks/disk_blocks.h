// Blocks on disk: a RocksDB database under `<dir>/spill-N`, opened when the first block comes. It is memory continued,
// not storage: what a former process left is removed at start, there is no write-ahead log, and when nothing in it is
// wanted any more it is deleted whole.
//
// Read may be called by many threads at any time; the other calls by one at a time (the block store's disk lock). A
// full disk is an error of Write; the next Write tries to bring the database back to life first. A database that has
// met damage in its files takes no more writes: it is kept to read what is left of it, until its batches are dropped,
// and a new one is begun.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "common/block/block.h"
#include "common/status.h"

namespace millrace {

class DiskBlocks {
 public:
  // Removes leftovers. If that fails, the first Write says so.
  explicit DiskBlocks(std::string dir);
  ~DiskBlocks();

  // All of them are in files when it returns OK. After an error none may be counted on.
  absl::Status Write(std::span<const std::shared_ptr<const Block>> blocks);

  // NotFound; DataLoss when the database or the block's own checksum finds damage; Unavailable when the disk cannot be
  // read.
  absl::StatusOr<std::shared_ptr<const Block>> Read(const BlockId& id) const;

  // Deletes every block of this batch and earlier ones.
  absl::Status DropThrough(std::uint64_t batch);

  // Deletes everything, and with it every trouble the database was in.
  void Wipe();

  std::uint64_t disk_bytes() const;
  // Write buffers and tables' indexes.
  std::uint64_t memory_bytes() const;

 private:
  struct Database;
  absl::Status Open();
  absl::Status TryWrite(std::span<const std::shared_ptr<const Block>> blocks);
  void Retire();
  absl::StatusOr<std::shared_ptr<const Block>> ReadFrom(const Database& database, const BlockId& id) const;
  std::shared_ptr<Database> database() const;
  std::vector<std::shared_ptr<Database>> databases() const;  // newest first

  const std::string dir_;
  absl::Status leftovers_;
  std::uint64_t generation_ = 0;
  bool failed_ = false;  // the last Write failed: Resume before the next
  mutable std::mutex mutex_;
  std::shared_ptr<Database> database_;              // guarded by mutex_; readers hold it while they read
  std::vector<std::shared_ptr<Database>> retired_;  // guarded by mutex_; read only, oldest first
};

}  // namespace millrace
