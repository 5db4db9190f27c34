#include "tests/common/object_store/s3_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <vector>

namespace millrace::testing {
namespace {

constexpr char kScript[] = MILLRACE_SOURCE_DIR "/scripts/servers/s3.sh";

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// Below the ephemeral ones, so that nobody's outgoing connection takes it while the server is down.
int FreePort() {
  std::random_device random;
  while (true) {
    const int port = 20000 + static_cast<int>(random() % 12000);
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(port);
    const bool free = ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    if (free) return port;
  }
}

bool Shell(const std::string& command) { return std::system(command.c_str()) == 0; }

}  // namespace

void WriteTextFile(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), 0600);
}

std::unique_ptr<S3Server> S3Server::Start() {
  ::signal(SIGPIPE, SIG_IGN);
  if (!Shell(std::string(kScript) + " installed")) return nullptr;
  auto server = std::unique_ptr<S3Server>(new S3Server());
  server->port_ = FreePort();
  WriteTextFile(server->credentials_file(),
                "[default]\naws_access_key_id = millrace\naws_secret_access_key = millrace-secret-key\n");
  if (!server->Run("start")) std::abort();
  return server;
}

S3Server::~S3Server() { (void)Run("kill"); }

bool S3Server::Run(const std::string& command) const {
  return Shell(std::string(kScript) + " " + command + " --port " + std::to_string(port_) + " --data " + data_.path());
}

int S3Server::pid() const {
  int pid = 0;
  std::ifstream(data_ / "s3.pid") >> pid;
  return pid;
}

void S3Server::Kill() { (void)Run("kill"); }
void S3Server::Restart() {
  if (!Run("start")) std::abort();
}
void S3Server::Freeze() {
  if (pid() > 0) ::kill(pid(), SIGSTOP);
}
void S3Server::Thaw() {
  if (pid() > 0) ::kill(pid(), SIGCONT);
}

S3Options S3Server::options() const {
  S3Options options;
  options.endpoint = endpoint();
  options.credentials_file = credentials_file();
  options.http.stall_timeout_ms = 1'000;
  options.http.timeout_ms = 20'000;
  options.first_wait_ms = 20;
  options.longest_wait_ms = 500;
  return options;
}

LossyRelay::LossyRelay(int server_port) : server_port_(server_port), port_(FreePort()) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port_);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
  ::listen(listener_, 16);
  thread_ = std::thread([this] { Serve(); });
}

LossyRelay::~LossyRelay() {
  ended_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

void LossyRelay::Serve() {
  std::vector<std::thread> connections;
  while (true) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) break;
    connections.emplace_back([this, client] { Pass(client); });
  }
  for (std::thread& connection : connections) connection.join();
}

void LossyRelay::Pass(int client) {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(server_port_);
  bool open = ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  std::vector<char> bytes(64 << 10);
  while (open && !ended_) {
    pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (::poll(ends, 2, 100) <= 0) continue;
    for (int i = 0; i < 2 && open; ++i) {
      if (ends[i].revents == 0) continue;
      const ssize_t n = ::recv(ends[i].fd, bytes.data(), bytes.size(), 0);
      open = n > 0;
      if (!open) break;
      if (i == 1 && lose_ > 0) {
        --lose_;
        ++lost_;
        open = false;
        break;
      }
      open = ::send(ends[1 - i].fd, bytes.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
    }
  }
  ::close(server);
  ::close(client);
}

}  // namespace millrace::testing
