#include "executor/blocks/eviction.h"

#include <algorithm>

namespace millrace {
namespace {

bool LeavesBefore(const EvictionCandidate& a, const EvictionCandidate& b) {
  if (a.keep != b.keep) return a.keep == Keep::kRecovery;
  return a.key > b.key;
}

}  // namespace

std::vector<BlockKey> ChooseVictims(std::vector<EvictionCandidate> candidates, std::uint64_t bytes_to_free) {
  std::sort(candidates.begin(), candidates.end(), LeavesBefore);
  std::vector<BlockKey> victims;
  std::uint64_t freed = 0;
  for (const EvictionCandidate& candidate : candidates) {
    if (freed >= bytes_to_free) break;
    if (candidate.bytes == 0) continue;
    victims.push_back(candidate.key);
    freed += candidate.bytes;
  }
  return victims;
}

}  // namespace millrace
