// Which blocks leave memory first when there is not enough of it. A pure function: the same blocks give the same
// answer.
//
// Order: blocks that belong on disk; blocks kept only for recovery, which the normal course never reads again; then the
// newest batches, because batches are reduced in order and the newest are needed last; blocks that belong in memory
// after all others. Empty blocks stay, for moving them frees nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "common/block/block.h"

namespace millrace {

enum class Keep : std::uint8_t {
  kNeeded,    // a reduce task has yet to read it
  kRecovery,  // read again only if something is lost
};

// Where its job wants a block: DStream::Persist.
enum class Residence : std::uint8_t { kMemoryAndDisk, kMemory, kDisk };

struct EvictionCandidate {
  BlockId id;
  std::uint64_t bytes = 0;  // what moving it would free
  Keep keep = Keep::kNeeded;
  Residence residence = Residence::kMemoryAndDisk;
};

// Enough blocks to free `bytes_to_free`, best victim first; of all when they do not suffice.
std::vector<BlockId> ChooseVictims(std::vector<EvictionCandidate> candidates, std::uint64_t bytes_to_free);

}  // namespace millrace
