// A real TCP server of the test's own, with TLS when it is given a certificate, and helpers for socket sources.
//
//   SocketServer server;                       // listens on a free port of the loopback
//   auto source = MakeSocket(server.port());
//   server.Accept();  server.Send("one\n");  server.HangUp();
//
// One connection at a time, the one accepted last. A failure fails the test at hand. One thread at a time.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/connectors/collect.h"

namespace millrace {

class SocketServer {
 public:
  SocketServer() { Listen(0); }
  ~SocketServer();

  void Listen(std::uint16_t port);
  void StopListening();
  void Accept();
  // From here connections speak TLS: AcceptTls ends with a handshake, and says whether it was one.
  void UseTls(const std::string& certificate_file, const std::string& key_file, const std::string& client_ca = "");
  bool AcceptTls();
  void Send(std::string_view bytes);
  // Sends until the peer takes no more for 300 ms; returns how much it took.
  std::size_t SendUntilBlocked(const std::string& bytes, std::size_t limit);
  void HangUp();         // in order: with TLS it says so first
  void BreakOff();       // without a word of TLS's
  void Reset();          // by an RST
  bool PeerHasHungUp();  // waits for it, at most 10 s

  std::string port() const { return std::to_string(port_); }
  std::string name() const { return "127.0.0.1:" + port(); }
  std::uint16_t number() const { return port_; }

 private:
  int listener_ = -1;
  int connection_ = -1;
  std::uint16_t port_ = 0;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_{nullptr, SSL_CTX_free};
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_{nullptr, SSL_free};
};

// A source of this server, or of what the option hosts names.
std::unique_ptr<Source> MakeSocket(const std::string& port, engine::Options more = {});

}  // namespace millrace
