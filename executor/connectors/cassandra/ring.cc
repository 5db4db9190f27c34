#include "executor/connectors/cassandra/ring.h"

#include <algorithm>

namespace millrace::cassandra {

Ring::Ring(std::span<const NodeInfo> nodes, std::string_view local_datacenter) {
  const bool any_local =
      std::any_of(nodes.begin(), nodes.end(), [&](const NodeInfo& n) { return n.datacenter == local_datacenter; });
  std::vector<std::pair<std::int64_t, std::uint32_t>> owners;
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    if (any_local && nodes[i].datacenter != local_datacenter) continue;
    for (const std::int64_t token : nodes[i].tokens) owners.emplace_back(token, i);
  }
  std::sort(owners.begin(), owners.end());
  for (std::size_t at = 0; at < owners.size(); ++at) {
    std::vector<std::uint32_t> found;
    for (std::size_t step = 0; step < owners.size() && found.size() < kCandidates; ++step) {
      const std::uint32_t node = owners[(at + step) % owners.size()].second;
      if (std::find(found.begin(), found.end(), node) == found.end()) found.push_back(node);
      if (found.size() == nodes.size()) break;
    }
    tokens_.push_back(owners[at].first);
    candidates_.push_back(std::move(found));
  }
}

std::span<const std::uint32_t> Ring::Candidates(std::int64_t token) const {
  if (tokens_.empty()) return {};
  const auto at = std::lower_bound(tokens_.begin(), tokens_.end(), token);
  return candidates_[at == tokens_.end() ? 0 : static_cast<std::size_t>(at - tokens_.begin())];
}

}  // namespace millrace::cassandra
