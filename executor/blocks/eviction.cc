#include "executor/blocks/eviction.h"

#include <algorithm>

namespace millrace {
namespace {

int Rank(const EvictionCandidate& candidate) {
  if (candidate.residence == Residence::kDisk) return 0;
  if (candidate.keep == Keep::kRecovery) return 1;
  return candidate.residence == Residence::kMemoryAndDisk ? 2 : 3;
}

bool LeavesBefore(const EvictionCandidate& a, const EvictionCandidate& b) {
  const int rank_a = Rank(a), rank_b = Rank(b);
  return rank_a != rank_b ? rank_a < rank_b : a.id > b.id;
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
