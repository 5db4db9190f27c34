#include "executor/connectors/cassandra/session.h"

#include <algorithm>
#include <thread>

#include "common/status.h"

namespace millrace::cassandra {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFirstWait{100};
constexpr std::chrono::milliseconds kLongestWait{10'000};
constexpr std::chrono::milliseconds kRetryPause{100};
constexpr std::chrono::milliseconds kLongestPause{1'000};
// While other nodes serve, one that does not answer must not hold them up for long.
constexpr std::chrono::milliseconds kShortConnect{500};
constexpr std::chrono::seconds kTopologyAge{60};

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const ClientOptions& options, const TlsContext* tls,
                                                       Deadline deadline) {
  auto session = std::unique_ptr<Session>(new Session(options, tls));
  MR_RETURN_IF_ERROR(session->Discover(deadline));
  return session;
}

std::string Session::ContactPoints() const {
  std::string out;
  for (const Endpoint& point : options_.contact_points) out += Concat(out.empty() ? "" : ", ", point.Name());
  return out;
}

absl::Status Session::Discover(Deadline deadline) {
  absl::Status why = Unavailable("cassandra: no contact point was tried in time");
  for (const Endpoint& point : options_.contact_points) {
    const Deadline until = std::min(deadline, Clock::now() + options_.connect_timeout);
    auto connection = Connection::Open(point, options_, tls_, until);
    if (!connection.ok()) {
      why = connection.status();
      if (!absl::IsUnavailable(why)) return why;
      continue;
    }
    auto topology = ReadTopology(**connection, point, until);
    if (!topology.ok()) {
      why = topology.status();
      continue;
    }
    Adopt(*std::move(topology));
    nodes_[0].connection = *std::move(connection);
    return absl::OkStatus();
  }
  if (options_.contact_points.size() < 2) return why;
  return Annotate(why, "none of the contact points ", ContactPoints(), " can be used; the last");
}

// Nodes that stay keep their connections.
void Session::Adopt(Topology topology) {
  const std::string datacenter =
      options_.local_datacenter.empty() ? topology.local_datacenter : options_.local_datacenter;
  ring_ = topology.murmur3 ? Ring(topology.nodes, datacenter) : Ring();
  std::vector<Node> nodes(topology.nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (Node& old : nodes_) {
      if (old.info.endpoint == topology.nodes[i].endpoint) nodes[i] = std::move(old);
    }
    nodes[i].info = std::move(topology.nodes[i]);
  }
  nodes_ = std::move(nodes);
  discovered_ = Clock::now();
}

void Session::RefreshTopology(Deadline deadline) {
  if (Clock::now() - discovered_ < kTopologyAge) return;
  discovered_ = Clock::now();  // a failure is no reason to ask all the time
  for (Node& node : nodes_) {
    if (node.connection == nullptr || node.connection->in_flight() > 0) continue;
    const Endpoint asked = node.info.endpoint;
    auto topology = ReadTopology(*node.connection, asked, std::min(deadline, Clock::now() + options_.connect_timeout));
    if (topology.ok()) return Adopt(*std::move(topology));
    Drop(node, topology.status());
  }
}

absl::Status Session::Connect(Node& node, Deadline deadline) {
  const bool others = std::any_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.connection != nullptr; });
  const auto timeout = others ? std::min(options_.connect_timeout, kShortConnect) : options_.connect_timeout;
  MR_ASSIGN_OR_RETURN(node.connection,
                      Connection::Open(node.info.endpoint, options_, tls_, std::min(deadline, Clock::now() + timeout)));
  node.prepared.clear();
  return absl::OkStatus();
}

absl::Status Session::PrepareAll(Node& node, Deadline deadline) {
  node.prepared.resize(statements_.size());
  for (std::size_t i = 0; i < statements_.size(); ++i) {
    if (!node.prepared[i].empty()) continue;
    MR_ASSIGN_OR_RETURN(const Frame frame,
                        node.connection->Call(Opcode::kPrepare, PrepareBody(statements_[i]), deadline));
    if (frame.opcode == Opcode::kError) {
      return ParseServerError(frame.body).ToStatus(node.connection->name(), Concat("preparing ", statements_[i]));
    }
    MR_ASSIGN_OR_RETURN(node.prepared[i], ParsePrepared(frame.body));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Session::Ready(Node& node) {
  if (node.connection == nullptr) {
    if (Clock::now() < node.next_try) return false;
  } else if (node.prepared.size() == statements_.size()) {
    return node.connection->has_room();
  } else if (node.connection->in_flight() > 0) {
    return false;  // statements are prepared between requests
  }
  const Deadline deadline = Clock::now() + options_.connect_timeout;
  absl::Status status = node.connection == nullptr ? Connect(node, deadline) : absl::OkStatus();
  if (status.ok()) status = PrepareAll(node, deadline);
  if (status.ok()) {
    node.wait = {};
    return true;
  }
  Drop(node, status);
  if (absl::IsUnavailable(status) || absl::IsDataLoss(status)) return false;
  return status;
}

absl::StatusOr<Session::Node*> Session::NodeFor(std::int64_t token) {
  for (const std::uint32_t i : ring_.Candidates(token)) {
    MR_ASSIGN_OR_RETURN(const bool ready, Ready(nodes_[i]));
    if (ready) return &nodes_[i];
    if (nodes_[i].connection != nullptr) return nullptr;  // busy: wait for it
  }
  for (std::size_t step = 0; step < nodes_.size(); ++step) {
    Node& node = nodes_[next_any_++ % nodes_.size()];
    MR_ASSIGN_OR_RETURN(const bool ready, Ready(node));
    if (ready) return &node;
  }
  return nullptr;
}

void Session::Drop(Node& node, absl::Status why) {
  node.connection.reset();
  node.prepared.clear();
  node.wait = node.wait.count() == 0 ? kFirstWait : std::min(node.wait * 2, kLongestWait);
  node.next_try = Clock::now() + node.wait;
  node.why = why;
  last_error_ = std::move(why);
}

void Session::Forget(Node& node) { node.prepared.clear(); }

void Session::DropBusy() {
  for (Node& node : nodes_) {
    if (node.connection != nullptr && node.connection->in_flight() > 0) {
      node.connection.reset();
      node.prepared.clear();
    }
  }
}

std::chrono::steady_clock::time_point Session::next_try() const {
  auto next = Clock::now() + kLongestWait;
  for (const Node& node : nodes_) {
    if (node.connection == nullptr) next = std::min(next, node.next_try);
  }
  return next;
}

absl::StatusOr<Session::Node*> Session::AnyNode(Deadline deadline) {
  while (true) {
    for (Node& node : nodes_) {
      MR_ASSIGN_OR_RETURN(const bool ready, Ready(node));
      if (ready) return &node;
    }
    if (Clock::now() >= deadline) return last_error_;
    std::this_thread::sleep_until(std::min({deadline, next_try(), Clock::now() + kRetryPause}));
  }
}

absl::StatusOr<std::uint32_t> Session::Prepare(std::string cql, Deadline deadline) {
  statements_.push_back(std::move(cql));
  MR_RETURN_IF_ERROR(AnyNode(deadline).status());
  return static_cast<std::uint32_t>(statements_.size() - 1);
}

absl::StatusOr<RowSet> Session::Call(Query query, std::string_view doing, Deadline deadline) {
  RowSet all;
  std::string paging_state;
  for (auto pause = kRetryPause;;) {
    MR_ASSIGN_OR_RETURN(Node* const node, AnyNode(deadline));
    query.paging_state = paging_state;
    auto frame = node->connection->Call(Opcode::kQuery, QueryBody(query),
                                        std::min(deadline, Clock::now() + options_.request_timeout));
    if (frame.ok() && frame->opcode != Opcode::kError) {
      MR_ASSIGN_OR_RETURN(RowSet page, ParseRows(frame->body));
      if (!page.columns.empty()) all.columns = std::move(page.columns);
      std::move(page.rows.begin(), page.rows.end(), std::back_inserter(all.rows));
      paging_state = std::move(page.paging_state);
      if (paging_state.empty()) return all;
      continue;
    }
    if (frame.ok()) {
      const ServerError error = ParseServerError(frame->body);
      last_error_ = error.ToStatus(node->connection->name(), doing);
      if (!error.transient()) return last_error_;
    } else {
      Drop(*node, Annotate(frame.status(), doing));
    }
    if (Clock::now() + pause >= deadline) return last_error_;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace millrace::cassandra
