// A RocksDB database for state that does not fit into memory: memory continued, not storage. There is no write-ahead
// log, what a former process left is removed, and so are all files in the end; checkpoints are elsewhere.
//
// Entries belong to spaces: a number that is never used twice, eight bytes before each key. One partition's state is
// one space; so a state that is made anew has nothing to do with the one before, and a late write of the old one does
// no harm.
//
// Thread-safe, as far as a space is written by one thread at a time. Errors name the folder: ResourceExhausted when the
// disk is full, DataLoss for damage, Unavailable else. After the first error that may have left something behind, of a
// call or of the database's own threads, it is broken() for good: it answers what it can, and takes no more. Whoever
// needs a space then makes it in another database; repairing one that is worth nothing without its checkpoints is not
// worth the trouble.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/status.h"
#include "executor/state/entry_cursor.h"
#include "executor/state/write_set.h"

namespace rocksdb {
class DB;
class Status;
}  // namespace rocksdb

namespace millrace {

// The one cap on the memory of all databases that share it.
struct RocksMemory;
std::shared_ptr<RocksMemory> MakeRocksMemory(std::uint64_t bytes);
std::uint64_t MemoryUsed(const RocksMemory& memory);

class RocksDatabase {
 public:
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;

  // `path` must not exist; it is made with its parents.
  static absl::StatusOr<std::shared_ptr<RocksDatabase>> Open(const std::string& path,
                                                             std::shared_ptr<RocksMemory> memory);
  ~RocksDatabase();

  absl::StatusOr<bool> Get(std::uint64_t space, std::string_view key, std::string& value) const;
  // Some of the entries, by their indices. After an error some of those may have been written.
  absl::Status Write(std::uint64_t space, std::span<const WriteSet::Entry> entries,
                     std::span<const std::uint32_t> which);
  // Entries with from <= key < to (`to` empty: to the end), ascending, until `visit` gives false.
  absl::Status Scan(std::uint64_t space, std::string_view from, std::string_view to, const Visit& visit) const;
  // Fills a space that nothing was written to. Much faster than Write: the entries come in order, so they are made
  // into finished files.
  absl::Status Load(std::uint64_t space, EntryCursor& entries);
  absl::Status Drop(std::uint64_t space);

  bool broken() const;
  std::uint64_t disk_bytes() const;
  std::uint64_t entries() const;  // roughly

 private:
  RocksDatabase(std::string path, std::shared_ptr<RocksMemory> memory);
  absl::Status Explain(const rocksdb::Status& status, std::string_view doing) const;
  absl::Status CheckRead(const rocksdb::Status& status) const;
  absl::Status CheckWrite(const rocksdb::Status& status) const;

  struct Health;
  const std::string path_;
  const std::shared_ptr<RocksMemory> memory_;
  const std::shared_ptr<Health> health_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace millrace
