#include "executor/blocks/block_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/log.h"
#include "executor/blocks/disk_blocks.h"

namespace millrace {
namespace {

using Clock = std::chrono::steady_clock;

// An entry of the index with its node, and a block with its control block, as the allocator rounds them.
constexpr std::uint64_t kIndexBytes = 160;
constexpr std::uint64_t kBlockBytes = 128;
constexpr std::uint64_t kPortionBytes = std::uint64_t{4} << 20;

// Room is made for a while, so that the victims are not chosen anew for every block.
std::uint64_t SpillTarget(std::uint64_t budget) { return budget - budget / 8; }

}  // namespace

BlockStore::BlockStore(BlockStoreOptions options)
    : options_(std::move(options)), disk_(std::make_unique<DiskBlocks>(options_.dir)) {}
BlockStore::~BlockStore() = default;

bool BlockStore::OverHardLimitLocked() const { return UsedLocked() / 2 > options_.memory_budget_bytes; }

absl::Status BlockStore::Put(std::shared_ptr<const Block> block, Keep keep) {
  bool wait;
  {
    std::lock_guard lock(mutex_);
    if (!InsertLocked(block, keep) || !WantsSpillLocked()) return absl::OkStatus();
    wait = OverHardLimitLocked();
  }
  Spill(wait);
  std::lock_guard lock(mutex_);
  const auto at = entries_.find(block->id());
  if (!OverHardLimitLocked() || at == entries_.end() || at->second.block != block) return absl::OkStatus();
  EraseLocked(at);
  return ResourceExhausted("block store ", options_.dir, " is full: ", UsedLocked(), " bytes in memory, the budget is ",
                           options_.memory_budget_bytes, ", and ",
                           problem_.empty() ? "what is left cannot be moved to disk" : problem_);
}

// False when it is there already.
bool BlockStore::InsertLocked(const std::shared_ptr<const Block>& block, Keep keep) {
  const auto [at, added] = entries_.try_emplace(block->id());
  if (!added) {
    at->second.keep = keep;
    if (at->second.checksum != block->checksum) ++differing_;
    return false;
  }
  at->second = {block, block->data.size(), block->checksum, next_version_++, keep};
  memory_bytes_ += kIndexBytes + kBlockBytes + block->data.size();
  if (BelongsOnDisk(*at)) belongs_on_disk_ += kBlockBytes + block->data.size();
  return true;
}

Residence BlockStore::ResidenceOf(const BlockKey& key) const {
  const auto at = options_.residence.find(key.shuffle);
  return at == options_.residence.end() ? Residence::kMemoryAndDisk : at->second;
}

// Empty ones stay where they are.
bool BlockStore::BelongsOnDisk(const Entries::value_type& entry) const {
  return entry.second.data_bytes > 0 && ResidenceOf(entry.first.key) == Residence::kDisk;
}

void BlockStore::LeftMemoryLocked(const Entries::value_type& entry) {
  const std::uint64_t bytes = kBlockBytes + entry.second.data_bytes;
  memory_bytes_ -= bytes;
  if (BelongsOnDisk(entry)) belongs_on_disk_ -= bytes;
}

bool BlockStore::WantsSpillLocked() const {
  return UsedLocked() > options_.memory_budget_bytes || belongs_on_disk_ > kPortionBytes;
}

BlockStore::Entries::iterator BlockStore::EraseLocked(Entries::iterator at) {
  if (at->second.block) {
    LeftMemoryLocked(*at);
  } else {
    --on_disk_;
  }
  memory_bytes_ -= kIndexBytes;
  return entries_.erase(at);
}

absl::StatusOr<std::shared_ptr<const Block>> BlockStore::Get(const BlockId& id) {
  // Goes round again only when the entry changed while the disk was read.
  while (true) {
    std::uint64_t version;
    std::uint64_t checksum;
    {
      std::lock_guard lock(mutex_);
      const auto at = entries_.find(id);
      if (at == entries_.end()) return NotFound("block ", ToString(id), " is not in the store ", options_.dir);
      if (at->second.block) return at->second.block;
      version = at->second.version;
      checksum = at->second.checksum;
    }
    auto read = disk_->Read(id);
    if (read.ok() && (*read)->checksum == checksum) return read;

    std::lock_guard lock(mutex_);
    const auto at = entries_.find(id);
    if (at == entries_.end() || at->second.version != version) continue;
    if (absl::IsUnavailable(read.status())) return read.status();
    EraseLocked(at);
    ++corrupt_;
    log::Warn("damaged block dropped", {{"block", ToString(id)}, {"dir", options_.dir}});
    return DataLoss("block ", ToString(id), " in ", options_.dir, " is damaged and was dropped: ",
                    read.ok() ? std::string("its checksum is another one's") : Message(read.status()));
  }
}

absl::StatusOr<std::shared_ptr<const Block>> BlockStore::Get(const BlockKey& key) {
  BlockId last{key, 0};
  std::uint64_t version = 0;
  {
    std::lock_guard lock(mutex_);
    for (auto at = entries_.lower_bound(last); at != entries_.end() && at->first.key == key; ++at) {
      if (at->second.version > version) last = at->first, version = at->second.version;
    }
  }
  return Get(last);
}

absl::Status BlockStore::Check(const BlockId& id) {
  MR_ASSIGN_OR_RETURN(const std::shared_ptr<const Block> block, Get(id));
  absl::Status status = VerifyBlock(*block);
  if (status.ok()) return status;
  std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end() || at->second.block != block) return status;
  EraseLocked(at);
  ++corrupt_;
  log::Warn("damaged block dropped", {{"block", ToString(id)}, {"where", "memory"}});
  return status;
}

bool BlockStore::Contains(const BlockId& id) const {
  std::lock_guard lock(mutex_);
  return entries_.contains(id);
}

void BlockStore::DropThrough(std::uint64_t batch) {
  {
    std::lock_guard lock(mutex_);
    for (auto at = entries_.begin(); at != entries_.end() && at->first.key.batch <= batch;) at = EraseLocked(at);
    if (UsedLocked() <= options_.memory_budget_bytes) problem_.clear();
  }
  ClearDisk(batch);
}

void BlockStore::ClearDisk(std::uint64_t through) {
  std::lock_guard disk(disk_mutex_);
  bool empty;
  {
    std::lock_guard lock(mutex_);
    empty = on_disk_ == 0;
  }
  if (empty) {
    disk_->Wipe();
  } else if (absl::Status status = disk_->DropThrough(through); !status.ok()) {
    // They are out of the index, so they are only space, and go with the next call or with the last block.
    log::Warn("dropped blocks still take space on disk", {{"dir", options_.dir}, {"error", Message(status)}});
  }
  const std::uint64_t used = disk_->memory_bytes();
  std::lock_guard lock(mutex_);
  disk_memory_bytes_ = used;
}

void BlockStore::KeepOnlyForRecovery(std::uint64_t batch) {
  std::lock_guard lock(mutex_);
  for (auto at = entries_.begin(); at != entries_.end() && at->first.key.batch <= batch; ++at)
    at->second.keep = Keep::kRecovery;
}

void BlockStore::Spill(bool wait) {
  std::unique_lock disk(disk_mutex_, std::defer_lock);
  // While another thread makes room there is no need to queue behind it, unless memory is at its end.
  if (wait) {
    disk.lock();
  } else if (!disk.try_lock()) {
    return;
  }
  // In portions: when the disk fills up half way, what it took has left memory.
  const Blocks victims = ChooseSpill();
  for (std::size_t first = 0; first < victims.size();) {
    std::size_t end = first;
    for (std::uint64_t bytes = 0; end < victims.size() && bytes < kPortionBytes; ++end)
      bytes += victims[end]->data.size();
    const std::span portion(victims.data() + first, end - first);
    if (!SettleSpill(portion, disk_->Write(portion))) return;
    first = end;
  }
}

BlockStore::Blocks BlockStore::ChooseSpill() {
  std::lock_guard lock(mutex_);
  if (!WantsSpillLocked()) return {};
  if (!problem_.empty() && Clock::now() < retry_at_) return {};
  std::vector<EvictionCandidate> candidates;
  for (const auto& [id, entry] : entries_) {
    if (entry.block && entry.data_bytes > 0)
      candidates.push_back({id, kBlockBytes + entry.data_bytes, entry.keep, ResidenceOf(id.key)});
  }
  const bool over = UsedLocked() > options_.memory_budget_bytes;
  const std::uint64_t for_budget = over ? UsedLocked() - SpillTarget(options_.memory_budget_bytes) : 0;
  const std::uint64_t for_disk = belongs_on_disk_ > kPortionBytes ? belongs_on_disk_ : 0;
  Blocks victims;
  for (const BlockId& id : ChooseVictims(std::move(candidates), std::max(for_budget, for_disk))) {
    victims.push_back(entries_.at(id).block);
  }
  return victims;
}

bool BlockStore::SettleSpill(std::span<const std::shared_ptr<const Block>> portion, const absl::Status& status) {
  if (!status.ok()) {
    FailSpill(status);
    return false;
  }
  const std::uint64_t used = disk_->memory_bytes();
  std::lock_guard lock(mutex_);
  disk_memory_bytes_ = used;
  problem_.clear();
  for (const auto& block : portion) {
    const auto at = entries_.find(block->id());
    // Dropped meanwhile: what is on disk is never read.
    if (at == entries_.end() || at->second.block != block) continue;
    at->second.block.reset();
    LeftMemoryLocked(*at);
    ++on_disk_;
    ++spilled_;
  }
  return true;
}

void BlockStore::FailSpill(const absl::Status& status) {
  bool empty;
  {
    std::lock_guard lock(mutex_);
    if (problem_.empty())
      log::Warn("blocks cannot be moved to disk", {{"dir", options_.dir}, {"error", Message(status)}});
    problem_ = Concat("blocks cannot be moved to ", options_.dir, ": ", Message(status));
    retry_at_ = Clock::now() + options_.retry_delay;
    empty = on_disk_ == 0;
  }
  // Give back what a failed beginning left, and begin anew next time.
  if (empty) disk_->Wipe();
  const std::uint64_t used = disk_->memory_bytes();
  std::lock_guard lock(mutex_);
  disk_memory_bytes_ = used;
}

BlockStoreStats BlockStore::Stats() const {
  const std::uint64_t disk_bytes = disk_->disk_bytes();
  const std::uint64_t disk_memory = disk_->memory_bytes();
  std::lock_guard lock(mutex_);
  return {.memory_bytes = memory_bytes_ + disk_memory,
          .disk_bytes = disk_bytes,
          .blocks = entries_.size(),
          .corrupt = corrupt_,
          .differing = differing_,
          .spilled = spilled_};
}

std::string BlockStore::Problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}

}  // namespace millrace
