// StorageLevel: where the blocks of an exchange are kept while they are needed; for Persist.
//
//   pairs.Persist(StorageLevel::kMemoryOnly).ReduceByKey(Add).Print();   // blocks of ReduceByKey: memory as long as it
//   lasts
//
// A stream with several consumers is computed once whether it is persisted or not, and what is exchanged between tasks
// is always serialised. So a level says one thing: what leaves memory first when a runner's budget is short. The names
// are Spark's; those with "Ser" mean the same as those without. There are none with "2": a block that is lost is
// computed again, by the recovery that every batch has. Plain data.
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
};

namespace detail {

// As the plan has it, in the option "storage" of an exchange; empty: nothing to be said.
inline std::string_view StorageOption(StorageLevel level) {
  switch (level) {
    case StorageLevel::kMemoryOnly:
    case StorageLevel::kMemoryOnlySer:
      return "memory";
    case StorageLevel::kDiskOnly:
      return "disk";
    case StorageLevel::kMemoryAndDisk:
    case StorageLevel::kMemoryAndDiskSer:
      break;
  }
  return "memory and disk";
}

}  // namespace detail
}  // namespace millrace
