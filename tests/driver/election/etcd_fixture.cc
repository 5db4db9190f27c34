#include "tests/driver/election/etcd_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>

namespace millrace::testing {
namespace {

bool IsFree(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return free;
}

// Below those that the kernel gives away by itself.
int FreePorts(int count) {
  std::random_device random;
  while (true) {
    const int first = 20000 + static_cast<int>(random() % 12000);
    bool free = true;
    for (int i = 0; i < count; ++i) free = free && IsFree(first + i);
    if (free) return first;
  }
}

}  // namespace

EtcdServers::EtcdServers(int nodes, bool tls) : nodes_(nodes), tls_(tls) {
  if (!Installed()) return;
  port_ = FreePorts(2 * nodes);
  Run(std::string("start --nodes ") + std::to_string(nodes) + (tls ? " --tls" : ""));
}

EtcdServers::~EtcdServers() {
  if (port_ != 0) Run("kill");
}

bool EtcdServers::Installed() { return std::system("command -v etcd etcdctl > /dev/null") == 0; }

void EtcdServers::Run(const std::string& command) const {
  const std::string line = std::string(ETCD_SCRIPT) + " " + command + " --port " + std::to_string(port_) + " --data " +
                           directory_.path() + " > /dev/null";
  if (std::system(line.c_str()) == 0) return;
  std::fprintf(stderr, "failed: %s\n", line.c_str());
  std::abort();
}

std::vector<std::string> EtcdServers::endpoints() const {
  std::vector<std::string> all;
  for (int i = 0; i < nodes_; ++i)
    all.push_back((tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_ + 2 * i));
  return all;
}

std::string EtcdServers::joined() const {
  std::string text;
  for (const std::string& endpoint : endpoints()) text += (text.empty() ? "" : ",") + endpoint;
  return text;
}

}  // namespace millrace::testing
