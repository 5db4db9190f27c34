#include "executor/connectors/rabbitmq/dial.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/status.h"

namespace millrace::rabbitmq {
namespace {

// 0 or an errno.
int TryConnect(const addrinfo& address, int timeout_ms) {
  const int fd = socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
  if (fd < 0) return errno;
  int error = connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd polled{fd, POLLOUT, 0};
    error = ETIMEDOUT;
    socklen_t size = sizeof error;
    if (poll(&polled, 1, timeout_ms) > 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  close(fd);
  return error;
}

}  // namespace

std::string WhyUnreachable(const Endpoint& endpoint, int timeout_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list);
      error != 0) {
    return Concat("cannot resolve the name: ", std::string_view(gai_strerror(error)));
  }
  int error = EADDRNOTAVAIL;
  for (const addrinfo* a = list; a != nullptr && error != 0; a = a->ai_next) error = TryConnect(*a, timeout_ms);
  freeaddrinfo(list);
  return error == 0 ? std::string() : std::generic_category().message(error);
}

}  // namespace millrace::rabbitmq
