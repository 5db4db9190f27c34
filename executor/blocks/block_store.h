// The blocks a runner holds: those its reducers will read and those kept in case something is lost. In memory as long
// as the budget allows, then on disk; those of shuffles that belong on disk go there as soon as they are some MiB.
// Blocks do not survive the process.
//
//   BlockStore store({.dir = dir, .memory_budget_bytes = 256 << 20});
//   MR_RETURN_IF_ERROR(store.Put(block, Keep::kNeeded));
//   MR_ASSIGN_OR_RETURN(auto block, store.Get(block_id));
//
// Thread-safe. Put, Get and DropThrough may wait for the disk: call them from workers, not from a control thread. When
// the disk refuses, blocks stay in memory up to twice the budget, Problem() says why, and every `retry_delay` a Put
// tries again; past that Put refuses.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "common/block/block.h"
#include "common/status.h"
#include "executor/blocks/eviction.h"

namespace millrace {

class DiskBlocks;

struct BlockStoreOptions {
  std::string dir;  // used only when memory does not suffice; its spill-* are removed at start
  std::uint64_t memory_budget_bytes = std::uint64_t{256} << 20;
  std::chrono::milliseconds retry_delay{200};
  std::map<std::uint32_t, Residence> residence = {};  // of the blocks of a shuffle; left out: kMemoryAndDisk
};

struct BlockStoreStats {
  std::uint64_t memory_bytes = 0;  // blocks in memory, the index of all, the database's buffers
  std::uint64_t disk_bytes = 0;    // files, including what is deleted and not yet cleared away
  std::uint64_t blocks = 0;        // in memory and on disk
  std::uint64_t corrupt = 0;       // found damaged and dropped, since the start
  std::uint64_t differing = 0;     // made again with other data, since the start: the job is not deterministic
  std::uint64_t spilled = 0;       // moved to disk, since the start
};

class BlockStore {
 public:
  explicit BlockStore(BlockStoreOptions options);
  ~BlockStore();

  // A block whose id is there already is no error, and the first one stays: if its data differ, that is counted.
  // ResourceExhausted, naming the directory and the cause, when neither memory nor disk takes it: the block is not
  // kept, and may be offered again.
  absl::Status Put(std::shared_ptr<const Block> block, Keep keep);

  // NotFound; DataLoss when what the disk gives does not match its checksum: it is dropped and counted, fetch or
  // compute it again.
  absl::StatusOr<std::shared_ptr<const Block>> Get(const BlockId& id);

  // Of the blocks at this place, made from whatever input, the one that was put last. For looking only: a reduce asks
  // for the input that the batch's plan names.
  absl::StatusOr<std::shared_ptr<const Block>> Get(const BlockKey& key);

  bool Contains(const BlockId& id) const;

  // As Get, but looks at blocks in memory, too: DataLoss when it is damaged, and it is dropped and counted.
  absl::Status Check(const BlockId& id);

  // Every block of this batch and earlier ones goes.
  void DropThrough(std::uint64_t batch);

  // From now on blocks of this batch and earlier ones are kept only for recovery.
  void KeepOnlyForRecovery(std::uint64_t batch);

  BlockStoreStats Stats() const;

  // What hinders the store, for the runner's status; empty when nothing does.
  std::string Problem() const;

 private:
  struct Entry {
    std::shared_ptr<const Block> block;  // null: on disk
    std::uint64_t data_bytes = 0;
    std::uint64_t checksum = 0;
    std::uint64_t version = 0;  // another for each Put that stored something
    Keep keep = Keep::kNeeded;
  };
  using Entries = std::map<BlockId, Entry>;
  using Blocks = std::vector<std::shared_ptr<const Block>>;

  bool InsertLocked(const std::shared_ptr<const Block>& block, Keep keep);
  Entries::iterator EraseLocked(Entries::iterator at);
  Residence ResidenceOf(const BlockKey& key) const;
  bool BelongsOnDisk(const Entries::value_type& entry) const;
  void LeftMemoryLocked(const Entries::value_type& entry);
  bool WantsSpillLocked() const;
  std::uint64_t UsedLocked() const { return memory_bytes_ + disk_memory_bytes_; }
  bool OverHardLimitLocked() const;
  void Spill(bool wait);
  Blocks ChooseSpill();
  bool SettleSpill(std::span<const std::shared_ptr<const Block>> portion, const absl::Status& status);
  void FailSpill(const absl::Status& status);
  void ClearDisk(std::uint64_t through);

  const BlockStoreOptions options_;

  // Serialises changes of the disk. Taken before mutex_, never while holding it; mutex_ is not held during I/O.
  std::mutex disk_mutex_;
  const std::unique_ptr<DiskBlocks> disk_;

  mutable std::mutex mutex_;  // guards all below
  Entries entries_;
  std::uint64_t memory_bytes_ = 0;
  std::uint64_t belongs_on_disk_ = 0;    // bytes in memory that do
  std::uint64_t disk_memory_bytes_ = 0;  // as of the last change of the disk
  std::uint64_t on_disk_ = 0;            // entries
  std::uint64_t next_version_ = 1;
  std::uint64_t corrupt_ = 0;
  std::uint64_t differing_ = 0;
  std::uint64_t spilled_ = 0;
  std::string problem_;
  std::chrono::steady_clock::time_point retry_at_;
};

}  // namespace millrace
