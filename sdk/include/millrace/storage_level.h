// StorageLevel: where the blocks of an exchange are kept while they are needed; for Persist.
//
//   pairs.Persist(StorageLevel::kMemoryOnly).ReduceByKey(Add).Print();   // blocks of ReduceByKey: memory as long as it
//   lasts
//
// A stream with several consumers is computed once whether it is persisted or not, and what is exchanged between tasks
// is always serialised. So a level says what leaves memory first when a runner's budget is short, and, with "2", that a
// second runner keeps a copy of the blocks: when their runner dies they are there, and the source is not read and the
// records are not mapped again. Without, they are computed again, by the recovery that every batch has. Tasks that also
// write to a sink or keep state run again in any case. The names are Spark's; those with "Ser" mean the same as those
// without. Plain data.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace {

enum class StorageLevel : std::uint32_t {
  kMemoryOnly,        // leaves memory after all others; to disk only when nothing else frees enough
  kMemoryAndDisk,     // as without a level: the newest batches leave first
  kDiskOnly,          // written to disk in portions of some MiB, whatever the budget
  kMemoryOnlySer,     // as kMemoryOnly
  kMemoryAndDiskSer,  // as kMemoryAndDisk
  kMemoryOnly2,
  kMemoryAndDisk2,
  kDiskOnly2,
  kMemoryOnlySer2,
  kMemoryAndDiskSer2,
};

namespace detail {

// As the plan has it, in the option "storage" of an exchange.
inline std::string_view StorageOption(StorageLevel level) {
  switch (level) {
    case StorageLevel::kMemoryOnly:
    case StorageLevel::kMemoryOnlySer:
    case StorageLevel::kMemoryOnly2:
    case StorageLevel::kMemoryOnlySer2:
      return "memory";
    case StorageLevel::kDiskOnly:
    case StorageLevel::kDiskOnly2:
      return "disk";
    case StorageLevel::kMemoryAndDisk:
    case StorageLevel::kMemoryAndDiskSer:
    case StorageLevel::kMemoryAndDisk2:
    case StorageLevel::kMemoryAndDiskSer2:
      break;
  }
  return "memory and disk";
}

inline bool IsReplicated(StorageLevel level) { return level >= StorageLevel::kMemoryOnly2; }

}  // namespace detail
}  // namespace millrace
