#include "tests/connectors/socket_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace millrace {

SocketServer::~SocketServer() {
  HangUp();
  StopListening();
}

void SocketServer::Listen(std::uint16_t port) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener_, 4), 0);
  socklen_t size = sizeof address;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
}

void SocketServer::StopListening() {
  if (listener_ >= 0) close(listener_);
  listener_ = -1;
}

void SocketServer::Accept() {
  HangUp();
  pollfd polled{listener_, POLLIN, 0};
  ASSERT_EQ(poll(&polled, 1, 10'000), 1) << "nobody connected";
  connection_ = accept(listener_, nullptr, nullptr);
  ASSERT_GE(connection_, 0);
}

void SocketServer::UseTls(const std::string& certificate_file, const std::string& key_file,
                          const std::string& client_ca) {
  context_.reset(SSL_CTX_new(TLS_server_method()));
  ASSERT_EQ(SSL_CTX_use_certificate_chain_file(context_.get(), certificate_file.c_str()), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), key_file.c_str(), SSL_FILETYPE_PEM), 1);
  if (client_ca.empty()) return;
  ASSERT_EQ(SSL_CTX_load_verify_locations(context_.get(), client_ca.c_str(), nullptr), 1);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

bool SocketServer::AcceptTls() {
  Accept();
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_fd(ssl_.get(), connection_);
  return SSL_accept(ssl_.get()) == 1;
}

void SocketServer::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ssl_ != nullptr ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                                      : send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(n, 0);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::size_t SocketServer::SendUntilBlocked(const std::string& bytes, std::size_t limit) {
  std::size_t sent = 0;
  pollfd polled{connection_, POLLOUT, 0};
  while (sent < limit && poll(&polled, 1, 300) == 1) {
    const ssize_t n = send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
  return sent;
}

void SocketServer::HangUp() {
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
  BreakOff();
}

void SocketServer::BreakOff() {
  ssl_.reset();
  if (connection_ >= 0) close(connection_);
  connection_ = -1;
}

void SocketServer::Reset() {
  const linger now{1, 0};
  setsockopt(connection_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  BreakOff();
}

bool SocketServer::PeerHasHungUp() {
  pollfd polled{connection_, POLLRDHUP, 0};
  return poll(&polled, 1, 10'000) == 1;
}

std::unique_ptr<Source> MakeSocket(const std::string& port, engine::Options more) {
  more.insert({"hosts", "127.0.0.1:" + port});
  auto source = MakeSource(Describe("socket", std::move(more)), {"j1"});
  EXPECT_TRUE(source.ok()) << source.status();
  return std::move(*source);
}

}  // namespace millrace
