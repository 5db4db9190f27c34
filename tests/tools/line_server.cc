// A sender that pushes lines: gives its standard input to the first who connects, says "sent" when the last byte has
// left, and then keeps that connection, and any later one, open and silent. SIGTERM ends it.
//
//   millrace_line_server PORT < lines
//
// Exit 1 when it cannot listen, or its reader goes away before all is sent; 2 on wrong use.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

int Listen(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd, 8) != 0) return -1;
  return fd;
}

bool Send(int fd) {
  std::string buffer(64 << 10, '\0');
  ssize_t n = 0;
  while ((n = read(STDIN_FILENO, buffer.data(), buffer.size())) > 0) {
    for (ssize_t sent = 0; sent < n;) {
      const ssize_t now = write(fd, buffer.data() + sent, static_cast<std::size_t>(n - sent));
      if (now < 0) return false;
      sent += now;
    }
  }
  return n == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  if (argc != 2 || std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), port).ec != std::errc() || port == 0) {
    std::fputs("usage: millrace_line_server PORT < lines\n", stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const int listener = Listen(port);
  if (listener < 0) {
    std::perror("millrace_line_server");
    return 1;
  }
  std::puts("listening");
  std::fflush(stdout);
  const int first = accept(listener, nullptr, nullptr);
  if (first < 0 || !Send(first)) {
    std::perror("millrace_line_server");
    return 1;
  }
  std::puts("sent");
  std::fflush(stdout);
  while (accept(listener, nullptr, nullptr) >= 0) {  // held until the process ends
  }
  return 0;
}
