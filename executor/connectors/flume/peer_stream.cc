#include "executor/connectors/flume/peer_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <system_error>

namespace millrace {
namespace {

constexpr std::chrono::seconds kHandshakeTimeout{10};

// What OpenSSL's queue of this thread says last; empties it.
std::string TlsReason() {
  std::string reason = "unknown error";
  while (const unsigned long code = ERR_get_error()) {
    if (const char* text = ERR_reason_error_string(code)) reason = text;
  }
  return reason;
}

absl::Status CannotUse(std::string_view what, const std::string& file) {
  return InvalidArgument("the ", what, " ", file, " cannot be used: ", TlsReason(),
                         "; it must be a PEM file on this machine that the runner may read");
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TlsServer>> TlsServer::Load(const std::string& certificate,
                                                                 const std::string& key) {
  ERR_clear_error();
  std::shared_ptr<TlsServer> server(new TlsServer(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* const context = server->context_;
  if (context == nullptr) return Internal("TLS: ", TlsReason());
  // Agents on older Java speak 1.2 alone.
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // Frames say how long they are: an end in the middle of one is noticed without TLS's own good-bye.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Nobody types a password here: a key that needs one is refused.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return 0; });
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return CannotUse("certificate", certificate);
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) return CannotUse("private key", key);
  if (SSL_CTX_check_private_key(context) != 1)
    return InvalidArgument("the private key ", key, " is not that of the certificate ", certificate);
  return std::shared_ptr<const TlsServer>(std::move(server));
}

TlsServer::~TlsServer() { SSL_CTX_free(context_); }

absl::StatusOr<std::unique_ptr<PeerStream>> PeerStream::Open(Fd fd, std::string peer, int stop,
                                                             std::shared_ptr<const TlsServer> tls) {
  std::unique_ptr<PeerStream> stream(new PeerStream(std::move(fd), std::move(peer), stop));
  if (tls != nullptr) MR_RETURN_IF_ERROR(stream->ShakeHands(std::move(tls)));
  return stream;
}

PeerStream::~PeerStream() {
  if (ssl_ == nullptr) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);  // says good-bye, and does not wait for an answer
  SSL_free(ssl_);
}

absl::Status PeerStream::ShakeHands(std::shared_ptr<const TlsServer> tls) {
  tls_ = std::move(tls);
  ssl_ = SSL_new(tls_->context_);
  if (ssl_ == nullptr || SSL_set_fd(ssl_, fd_.get()) != 1) return Unavailable("TLS: ", TlsReason());
  const Deadline deadline = std::chrono::steady_clock::now() + kHandshakeTimeout;
  while (true) {
    short wanted = 0;
    std::string why;
    ERR_clear_error();
    const long result = TlsResult(SSL_accept(ssl_), wanted, why);
    if (result > 0) return absl::OkStatus();
    if (wanted == 0 && why.empty()) return MakeStatus(absl::StatusCode::kOutOfRange, "the peer hung up");
    if (wanted == 0) return PermissionDenied("no TLS could be agreed on: ", why);
    MR_RETURN_IF_ERROR(Await(wanted, true, deadline, "its TLS handshake"));
  }
}

long PeerStream::TlsResult(int result, short& wanted, std::string& why) {
  if (result > 0) return result;
  const int error = errno;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      wanted = POLLIN;
      return -1;
    case SSL_ERROR_WANT_WRITE:
      wanted = POLLOUT;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_SYSCALL:
      if (error == 0) return 0;
      why = std::generic_category().message(error);
      return -1;
    default:
      why = TlsReason();
      return -1;
  }
}

long PeerStream::TryRead(char* to, std::size_t size, short& wanted, std::string& why) {
  errno = 0;
  if (ssl_ != nullptr) {
    ERR_clear_error();
    return TlsResult(SSL_read(ssl_, to, static_cast<int>(std::min<std::size_t>(size, INT_MAX))), wanted, why);
  }
  const ssize_t n = recv(fd_.get(), to, size, 0);
  if (n >= 0) return n;
  if (errno == EAGAIN || errno == EINTR) {
    wanted = POLLIN;
  } else {
    why = std::generic_category().message(errno);
  }
  return -1;
}

long PeerStream::TryWrite(std::string_view bytes, short& wanted, std::string& why) {
  errno = 0;
  if (ssl_ != nullptr) {
    ERR_clear_error();
    return TlsResult(SSL_write(ssl_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX))),
                     wanted, why);
  }
  const ssize_t n = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n >= 0) return n;
  if (errno == EAGAIN || errno == EINTR) {
    wanted = POLLOUT;
  } else {
    why = std::generic_category().message(errno);
  }
  return -1;
}

absl::Status PeerStream::Await(short wanted, bool stoppable, Deadline deadline, std::string_view what) {
  std::array<pollfd, 2> polled = {{{fd_.get(), wanted, 0}, {stop_, POLLIN, 0}}};
  int timeout = -1;
  if (deadline != kNever) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    timeout = static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, INT_MAX));
  }
  const int n = poll(polled.data(), stoppable ? 2 : 1, timeout);
  if (n == 0) return MakeStatus(absl::StatusCode::kDeadlineExceeded, Concat("it took too long over ", what));
  if (n < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
  if (stoppable && polled[1].revents != 0) return MakeStatus(absl::StatusCode::kCancelled, "stopped");
  return absl::OkStatus();
}

bool PeerStream::HungUp() const {
  pollfd polled{fd_.get(), POLLRDHUP, 0};
  return poll(&polled, 1, 0) > 0 && (polled.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

absl::Status PeerStream::Read(char* to, std::size_t size, Deadline deadline) {
  std::size_t got = 0;
  while (got < size) {
    short wanted = 0;
    std::string why;
    const long n = TryRead(to + got, size - got, wanted, why);
    if (n > 0) {
      got += static_cast<std::size_t>(n);
    } else if (n == 0 && got == 0) {
      return MakeStatus(absl::StatusCode::kOutOfRange, "the peer hung up");
    } else if (n == 0) {
      return Unavailable("the peer hung up in the middle of a frame");
    } else if (wanted == 0) {
      return Unavailable("the connection broke: ", why);
    } else {
      MR_RETURN_IF_ERROR(Await(wanted, true, deadline, "a frame"));
    }
  }
  return absl::OkStatus();
}

absl::Status PeerStream::Write(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    short wanted = 0;
    std::string why;
    const long n = TryWrite(bytes, wanted, why);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (wanted == 0) {
      return Unavailable("the connection broke before the answer was sent: ", why.empty() ? "hung up" : why);
    } else {
      MR_RETURN_IF_ERROR(Await(wanted, false, deadline, "reading an answer"));
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace
