// BatchContext: which part of which batch a ForEachBatch function has before it. Plain data, valid during the call.
//
// A failure can make the same part of the same batch come again, with the same rows: a function that writes somewhere
// should make the second time harmless, with (batch, partition) as the key of what it writes, and `fence` to refuse an
// older owner:
//
//   counts.ForEachBatch([](const BatchContext& batch, std::span<const Count> rows) {
//     store->Put(batch.partition, batch.batch, batch.fence, rows);   // ignored by the store if it has this batch or a
//     larger fence
//   });
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace millrace {

struct BatchContext {
  std::string job;
  std::uint64_t batch = 0;
  // The time of the batch, not of the call: the same when the batch is computed again.
  std::chrono::sys_time<std::chrono::microseconds> time;
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;  // of the stage: (stage, partition) names a part of the batch
  std::uint64_t fence = 0;      // grows with every new owner of this partition
};

}  // namespace millrace
