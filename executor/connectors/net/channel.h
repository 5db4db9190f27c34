// A byte stream to one server: TCP, and TLS over it when asked for. Never blocks after it is made; the owner polls.
//
//   MR_ASSIGN_OR_RETURN(auto channel, Channel::Connect({"cassandra", "contact_points", endpoint}, tls.get(),
//   deadline)); MR_ASSIGN_OR_RETURN(std::size_t n, channel->Write(bytes));  // 0: not now
//
// Thread rule: one thread at a time. The context of TLS outlives it. Errors: Unavailable for what the network does
// (refused, reset, closed, timeouts, names that do not resolve now); PermissionDenied when the server's certificate is
// not trusted, which no retry mends. Each names the server and a remedy.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/net/endpoint.h"
#include "executor/connectors/net/tls_context.h"

namespace millrace::net {

using Deadline = std::chrono::steady_clock::time_point;

// How long connecting may take: until the deadline, or until a descriptor of the owner's, such as an eventfd, can be
// read.
struct Patience {
  Patience(Deadline until) : deadline(until) {}  // NOLINT(google-explicit-constructor): a deadline is enough
  Patience(Deadline until, int wake_fd) : deadline(until), wake(wake_fd) {}
  Deadline deadline;
  int wake = -1;
};

struct Peer {
  std::string_view who;      // for messages: "cassandra"
  std::string_view option;   // that named it: "contact_points"
  const Endpoint& endpoint;  // outlives the call
};

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

class Channel {
 public:
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // `tls` null: without.
  static absl::StatusOr<std::unique_ptr<Channel>> Connect(const Peer& peer, const TlsContext* tls,
                                                          const Patience& patience);
  // How much was taken; 0 when it would block.
  absl::StatusOr<std::size_t> Write(std::string_view bytes);
  // Appends what is there; how much that was, 0 when it would block.
  absl::StatusOr<std::size_t> Read(std::string& out);
  // The same into memory of the caller's, at most so much.
  absl::StatusOr<std::size_t> ReadInto(std::span<char> to);
  // Waits until the channel can be read, or written as well; false when the deadline passes.
  bool Wait(bool to_write, Deadline deadline) const;
  // After an error of Read: the server had said that it sends no more, so that nothing is cut off.
  bool ended() const { return ended_; }

  int fd() const { return fd_; }
  const std::string& name() const { return name_; }  // "10.0.0.1:9042"

 private:
  Channel(int fd, std::string where, std::string name) : fd_(fd), where_(std::move(where)), name_(std::move(name)) {}
  absl::Status StartTls(const TlsContext& tls, const std::string& host, const Patience& patience);
  absl::Status TlsFailed(int result, std::string_view what);

  const int fd_;
  const std::string where_;  // "cassandra 10.0.0.1:9042"
  const std::string name_;
  std::string_view certificate_option_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  bool ended_ = false;
};

}  // namespace millrace::net
