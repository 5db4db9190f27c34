#include "executor/connectors/net/channel.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "common/status.h"

namespace millrace::net {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

std::string Reason(int error) { return std::generic_category().message(error); }

int MsLeft(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 600'000));
}

// Errors are events too: the following read or write tells which. False: the deadline has passed, or the wake is there.
bool PollOne(int fd, short events, const Patience& patience) {
  std::array<pollfd, 2> polled = {{{fd, events, 0}, {patience.wake, POLLIN, 0}}};  // poll skips a descriptor of -1
  int n = 0;
  do n = poll(polled.data(), polled.size(), MsLeft(patience.deadline));
  while (n < 0 && errno == EINTR);
  return n > 0 && polled[1].revents == 0;
}

// A connected socket, or -1 with the reason.
int ConnectOne(const addrinfo& address, const Patience& patience, std::string& why) {
  const int fd = socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
  if (fd < 0) {
    why = Reason(errno);
    return -1;
  }
  int error = connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    if (PollOne(fd, POLLOUT, patience)) {
      socklen_t size = sizeof error;
      if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    } else {
      error = ETIMEDOUT;
    }
  }
  if (error == 0) return fd;
  why = Reason(error);
  close(fd);
  return -1;
}

absl::StatusOr<int> Dial(const Peer& peer, const std::string& where, const Patience& patience) {
  const Endpoint& endpoint = peer.endpoint;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const std::string port = std::to_string(endpoint.port);
  if (const int error = getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &list); error != 0) {
    return Unavailable(where, ": cannot resolve the name: ", std::string_view(gai_strerror(error)),
                       "; check the option ", peer.option);
  }
  std::string why = "no address";
  int fd = -1;
  for (const addrinfo* a = list; a != nullptr && fd < 0; a = a->ai_next) fd = ConnectOne(*a, patience, why);
  freeaddrinfo(list);
  if (fd < 0) {
    return Unavailable(where, ": cannot connect: ", why, "; is the server running, and is the port right?");
  }
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  return fd;
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 || inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

Channel::~Channel() {
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  close(fd_);
}

absl::StatusOr<std::unique_ptr<Channel>> Channel::Connect(const Peer& peer, const TlsContext* tls,
                                                          const Patience& patience) {
  const std::string name = peer.endpoint.Name();
  const std::string where = Concat(peer.who, " ", name);
  MR_ASSIGN_OR_RETURN(const int fd, Dial(peer, where, patience));
  auto channel = std::unique_ptr<Channel>(new Channel(fd, where, name));
  if (tls != nullptr) MR_RETURN_IF_ERROR(channel->StartTls(*tls, peer.endpoint.host, patience));
  return channel;
}

absl::Status Channel::StartTls(const TlsContext& tls, const std::string& host, const Patience& patience) {
  certificate_option_ = tls.names.certificate_file;
  ssl_.reset(SSL_new(tls.context.get()));
  if (ssl_ == nullptr) return Internal(where_, ": no TLS: ", TakeTlsError());
  const std::string& expected = tls.server_name.empty() ? host : tls.server_name;
  if (IsAddress(expected)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), expected.c_str());
  } else {
    SSL_set1_host(ssl_.get(), expected.c_str());
    SSL_set_tlsext_host_name(ssl_.get(), expected.c_str());
  }
  SSL_set_fd(ssl_.get(), fd_);
  while (true) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1) return absl::OkStatus();
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) break;
    if (!PollOne(fd_, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, patience)) {
      return Unavailable(where_, ": TLS: no answer in time; does the server speak TLS on this port?");
    }
  }
  if (const long verified = SSL_get_verify_result(ssl_.get()); verified != X509_V_OK) {
    ERR_clear_error();
    return PermissionDenied(where_, ": TLS: the server's certificate is not trusted for '", expected,
                            "': ", std::string_view(X509_verify_cert_error_string(verified)), "; check the options ",
                            tls.names.ca_file, " and ", tls.names.server_name);
  }
  const std::string why = TakeTlsError();
  return Unavailable(where_, ": TLS: the handshake failed: ", why,
                     "; does the server speak TLS on this port, and does it ask for a certificate (",
                     certificate_option_, ")?");
}

absl::Status Channel::TlsFailed(int result, std::string_view what) {
  const int saved = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_ZERO_RETURN:
      ended_ = true;
      return Unavailable(where_, ": the server closed the connection");
    case SSL_ERROR_SYSCALL:
      return Unavailable(where_, ": ", what, ": ", saved == 0 ? "connection closed" : Reason(saved));
    default: {
      const bool cut_off = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
      const std::string why = TakeTlsError();
      if (cut_off) return Unavailable(where_, ": ", what, ": the connection was cut off, without TLS's goodbye");
      return Unavailable(where_, ": ", what, ": TLS: ", why, "; does the server ask for a certificate (",
                         certificate_option_, ")?");
    }
  }
}

absl::StatusOr<std::size_t> Channel::Write(std::string_view bytes) {
  if (bytes.empty()) return std::size_t{0};
  if (ssl_ != nullptr) {
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20)));
    if (n > 0) return static_cast<std::size_t>(n);
    const int error = SSL_get_error(ssl_.get(), n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return std::size_t{0};
    return TlsFailed(n, "sending");
  }
  const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return Unavailable(where_, ": sending: ", Reason(errno));
}

absl::StatusOr<std::size_t> Channel::Read(std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + kReadBytes);
  auto n = ReadInto({out.data() + before, kReadBytes});
  out.resize(before + (n.ok() ? *n : 0));
  return n;
}

absl::StatusOr<std::size_t> Channel::ReadInto(std::span<char> to) {
  if (to.empty()) return std::size_t{0};
  if (ssl_ != nullptr) {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), to.data(), static_cast<int>(std::min<std::size_t>(to.size(), 1 << 30)));
    if (n > 0) return static_cast<std::size_t>(n);
    const int error = SSL_get_error(ssl_.get(), n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return std::size_t{0};
    return TlsFailed(n, "receiving");
  }
  const ssize_t n = recv(fd_, to.data(), to.size(), 0);
  if (n > 0) return static_cast<std::size_t>(n);
  if (n == 0) {
    ended_ = true;
    return Unavailable(where_, ": the server closed the connection");
  }
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return Unavailable(where_, ": receiving: ", Reason(errno));
}

bool Channel::Wait(bool to_write, Deadline deadline) const {
  return PollOne(fd_, static_cast<short>(POLLIN | (to_write ? POLLOUT : 0)), deadline);
}

}  // namespace millrace::net
