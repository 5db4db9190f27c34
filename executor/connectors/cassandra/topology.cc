#include "executor/connectors/cassandra/topology.h"

#include <arpa/inet.h>

#include <array>

#include "common/status.h"
#include "executor/connectors/cassandra/query.h"
#include "executor/connectors/options.h"

namespace millrace::cassandra {
namespace {

// The text of an inet value; empty for none, and for the address that stands for all.
std::string AddressText(std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  if (bytes.find_first_not_of('\0') == std::string_view::npos) return {};
  if (inet_ntop(family, bytes.data(), text.data(), text.size()) == nullptr) return {};
  return text.data();
}

std::vector<std::int64_t> Tokens(const std::vector<std::string>& texts) {
  std::vector<std::int64_t> tokens;
  for (const std::string& text : texts) {
    std::uint64_t number = 0;
    const bool negative = text.starts_with('-');
    if (!ParseNumber(std::string_view(text).substr(negative ? 1 : 0), number)) continue;
    tokens.push_back(static_cast<std::int64_t>(negative ? 0 - number : number));
  }
  return tokens;
}

absl::StatusOr<RowSet> Select(Connection& connection, std::string_view cql, Deadline deadline) {
  MR_ASSIGN_OR_RETURN(const Frame frame,
                      connection.Call(Opcode::kQuery, QueryBody({cql, {}, Consistency::kOne}), deadline));
  if (frame.opcode == Opcode::kError) return ParseServerError(frame.body).ToStatus(connection.name(), cql);
  return ParseRows(frame.body);
}

}  // namespace

absl::StatusOr<Topology> ReadTopology(Connection& connection, const Endpoint& asked, Deadline deadline) {
  MR_ASSIGN_OR_RETURN(const RowSet local,
                      Select(connection, "SELECT data_center, partitioner, tokens FROM system.local", deadline));
  auto peers =
      Select(connection, "SELECT native_address, native_port, data_center, tokens FROM system.peers_v2", deadline);
  if (absl::IsInvalidArgument(peers.status())) {
    peers = Select(connection, "SELECT peer, rpc_address, data_center, tokens FROM system.peers", deadline);
  }
  if (!peers.ok()) return peers.status();
  return MakeTopology(local, *peers, asked);
}

Topology MakeTopology(const RowSet& local, const RowSet& peers, const Endpoint& asked) {
  Topology topology;
  topology.nodes.push_back({asked, {}, {}});
  for (const ResultRow& row : local.rows) {
    topology.local_datacenter = local.Text(row, "data_center");
    topology.murmur3 = local.Text(row, "partitioner").ends_with("Murmur3Partitioner");
    topology.nodes[0].datacenter = topology.local_datacenter;
    topology.nodes[0].tokens = Tokens(local.Texts(row, "tokens"));
  }
  for (const ResultRow& row : peers.rows) {
    NodeInfo node;
    for (const std::string_view column : {"native_address", "rpc_address", "peer"}) {
      if (node.endpoint.host.empty()) node.endpoint.host = AddressText(peers.Text(row, column));
    }
    const std::int64_t port = peers.Number(row, "native_port");
    node.endpoint.port = port > 0 && port < 65'536 ? static_cast<std::uint16_t>(port) : asked.port;
    node.datacenter = peers.Text(row, "data_center");
    node.tokens = Tokens(peers.Texts(row, "tokens"));
    if (node.endpoint.host.empty() || node.tokens.empty() || node.endpoint == asked) continue;
    topology.nodes.push_back(std::move(node));
  }
  return topology;
}

}  // namespace millrace::cassandra
