// A connection that was accepted: bytes in and out, with or without TLS, every wait bounded or ended by a stop.
//
//   MR_ASSIGN_OR_RETURN(auto tls, TlsServer::Load(certificate_file, key_file));   // null: no TLS
//   MR_ASSIGN_OR_RETURN(auto stream, PeerStream::Open(std::move(fd), peer, stop_fd, tls));
//   MR_RETURN_IF_ERROR(stream->Read(buffer, size, deadline));
//
// Thread rule: a stream belongs to one thread; a TlsServer may be shared. `stop` is a descriptor that becomes readable
// when reading shall end; it must outlive the stream.
// Errors: Cancelled after a stop, OutOfRange when the peer hung up before the first byte of a read, Unavailable when
// the connection broke, DeadlineExceeded, PermissionDenied when TLS could not be agreed on.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/io/file.h"

struct ssl_ctx_st;
struct ssl_st;

namespace millrace {

class TlsServer {
 public:
  // Reads the certificate with its chain and the key. InvalidArgument names the file, what is wrong and the remedy.
  static absl::StatusOr<std::shared_ptr<const TlsServer>> Load(const std::string& certificate, const std::string& key);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

 private:
  friend class PeerStream;
  explicit TlsServer(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* const context_;
};

class PeerStream {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  static constexpr Deadline kNever = Deadline::max();

  // With `tls` it shakes hands first. `fd` is a connected socket that does not block.
  static absl::StatusOr<std::unique_ptr<PeerStream>> Open(Fd fd, std::string peer, int stop,
                                                          std::shared_ptr<const TlsServer> tls);
  ~PeerStream();
  PeerStream(const PeerStream&) = delete;
  PeerStream& operator=(const PeerStream&) = delete;

  // Exactly `size` bytes.
  absl::Status Read(char* to, std::size_t size, Deadline deadline);
  // All of it. A stop does not end it, so that what was done is still answered.
  absl::Status Write(std::string_view bytes, Deadline deadline);
  // The peer waits for no answer any more. Any thread, while the stream lives.
  bool HungUp() const;
  const std::string& peer() const { return peer_; }  // "10.0.0.7:40112"

 private:
  PeerStream(Fd fd, std::string peer, int stop) : fd_(std::move(fd)), peer_(std::move(peer)), stop_(stop) {}
  absl::Status ShakeHands(std::shared_ptr<const TlsServer> tls);
  // One try: bytes moved, 0 when the peer hung up, or -1 with `wanted` set to what to wait for or `why` to an error.
  long TryRead(char* to, std::size_t size, short& wanted, std::string& why);
  long TryWrite(std::string_view bytes, short& wanted, std::string& why);
  long TlsResult(int result, short& wanted, std::string& why);
  absl::Status Await(short wanted, bool stoppable, Deadline deadline, std::string_view what);

  Fd fd_;
  const std::string peer_;
  const int stop_;
  std::shared_ptr<const TlsServer> tls_;
  ssl_st* ssl_ = nullptr;
};

}  // namespace millrace
