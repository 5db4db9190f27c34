// The nodes of a cluster, as one of them tells: system.local and system.peers_v2 (system.peers before Cassandra 4).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/connection.h"
#include "executor/connectors/cassandra/result.h"
#include "executor/connectors/cassandra/ring.h"

namespace millrace::cassandra {

struct Topology {
  std::vector<NodeInfo> nodes;  // the node that was asked is the first
  std::string local_datacenter;
  bool murmur3 = true;  // other partitioners: nothing is routed by token
};

// `asked` is where the connection leads to: a node does not always know how it is reached.
absl::StatusOr<Topology> ReadTopology(Connection& connection, const Endpoint& asked, Deadline deadline);

// The nodes out of the rows of both tables. Peers that lack an address or tokens are being added or removed: left out.
Topology MakeTopology(const RowSet& local, const RowSet& peers, const Endpoint& asked);

}  // namespace millrace::cassandra
