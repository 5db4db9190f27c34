// A client of one cluster: its nodes, a connection to each that is used, statements prepared on all of them, and
// reconnecting with growing waits.
//
//   MR_ASSIGN_OR_RETURN(auto session, Session::Open(options, tls, deadline));
//   MR_ASSIGN_OR_RETURN(RowSet rows, session->Call({"SELECT …"}, "reading the table", deadline));
//
// Thread rule: one thread at a time. Errors: Unavailable while no node is reached, with the reason of the last one
// tried; what authentication or TLS refuses is PermissionDenied at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/connection.h"
#include "executor/connectors/cassandra/query.h"
#include "executor/connectors/cassandra/result.h"
#include "executor/connectors/cassandra/ring.h"
#include "executor/connectors/cassandra/topology.h"

namespace millrace::cassandra {

class Session {
 public:
  struct Node {
    NodeInfo info;
    std::unique_ptr<Connection> connection;  // null: down, or not needed yet
    std::vector<std::string> prepared;       // ids by statement; empty: not prepared here
    std::chrono::steady_clock::time_point next_try{};
    std::chrono::milliseconds wait{0};
    absl::Status why;
  };

  // Asks the contact points in order until one tells the cluster's nodes.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const ClientOptions& options, const TlsContext* tls,
                                                       Deadline deadline);

  // Adds a statement to those that are prepared on every node; its number. InvalidArgument when the server refuses it.
  absl::StatusOr<std::uint32_t> Prepare(std::string cql, Deadline deadline);
  // Runs a query on any node and gives all pages. What passes by itself is tried again until the deadline, so the query
  // must be one that may be run twice. `doing` is for errors.
  absl::StatusOr<RowSet> Call(Query query, std::string_view doing, Deadline deadline);

  // The best node for a token that can take a request now, connected and with all statements prepared; null when each
  // of them is busy or down. Connects when it is time to try again. An error is one that no retry mends.
  absl::StatusOr<Node*> NodeFor(std::int64_t token);
  // The connection failed: it is closed, and tried again later.
  void Drop(Node& node, absl::Status why);
  // After UNPREPARED: its statements are prepared again before it gets another request.
  void Forget(Node& node);
  // Closes connections with requests in flight, whose answers nobody waits for any more.
  void DropBusy();
  // Asks for the cluster's nodes again when that was long ago. No request may be in flight.
  void RefreshTopology(Deadline deadline);

  std::vector<Node>& nodes() { return nodes_; }
  const ClientOptions& options() const { return options_; }
  // Why the node that failed last did.
  const absl::Status& last_error() const { return last_error_; }
  // When a node that is down is tried next.
  std::chrono::steady_clock::time_point next_try() const;
  // "10.0.0.1:9042, 10.0.0.2:9042", for errors.
  std::string ContactPoints() const;

 private:
  Session(const ClientOptions& options, const TlsContext* tls) : options_(options), tls_(tls) {}
  absl::Status Discover(Deadline deadline);
  absl::Status Connect(Node& node, Deadline deadline);
  absl::Status PrepareAll(Node& node, Deadline deadline);
  // Ready to take a request. Any error but Unavailable is for the caller.
  absl::StatusOr<bool> Ready(Node& node);
  absl::StatusOr<Node*> AnyNode(Deadline deadline);
  void Adopt(Topology topology);

  const ClientOptions options_;
  const TlsContext* const tls_;
  std::vector<Node> nodes_;
  Ring ring_;
  std::vector<std::string> statements_;
  absl::Status last_error_;
  std::chrono::steady_clock::time_point discovered_{};
  std::size_t next_any_ = 0;
};

}  // namespace millrace::cassandra
