#include "executor/blocks/eviction.h"

#include <algorithm>

namespace millrace {
namespace {

bool LeavesBefore(const EvictionCandidate& a, const EvictionCandidate& b) {
  if (a.keep != b.keep) return a.keep == Keep::kRecovery;
  return a.id > b.id;
}

}  // namespace

std::vector<BlockId> ChooseVictims(std::vector<EvictionCandidate> candidates, std::uint64_t bytes_to_free) {
  std::sort(candidates.begin(), candidates.end(), LeavesBefore);
  std::vector<BlockId> victims;
  std::uint64_t freed = 0;
  for (const EvictionCandidate& candidate : candidates) {
    if (freed >= bytes_to_free) break;
    if (candidate.bytes == 0) continue;
    victims.push_back(candidate.id);
    freed += candidate.bytes;
  }
  return victims;
}

}  // namespace millrace
