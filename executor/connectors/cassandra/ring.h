// Who owns which tokens: for the token of a partition key, the nodes to ask, best first. The first node of the local
// data centre at or after a token, clockwise, is one of its replicas with both replication strategies of Cassandra; the
// ones that follow are the next best.
//
// Immutable: any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "executor/connectors/cassandra/options.h"

namespace millrace::cassandra {

struct NodeInfo {
  Endpoint endpoint;
  std::string datacenter;
  std::vector<std::int64_t> tokens;
};

class Ring {
 public:
  Ring() = default;
  // Nodes of other data centres are left out, unless none is in the local one.
  Ring(std::span<const NodeInfo> nodes, std::string_view local_datacenter);

  // Indexes into the nodes given, at most kCandidates. Empty when no node told its tokens.
  std::span<const std::uint32_t> Candidates(std::int64_t token) const;

 private:
  static constexpr std::size_t kCandidates = 3;
  std::vector<std::int64_t> tokens_;                    // ascending
  std::vector<std::vector<std::uint32_t>> candidates_;  // of the range that ends with the token
};

}  // namespace millrace::cassandra
