// Damages things, byte by byte. Knows the framing of a journal from its documentation
// (proto/millrace/v1/durable.proto), not from the code.
//
//   millrace_damage_tool records FILE               prints "offset length" of each record of a journal, to the first
//   bad one millrace_damage_tool flip FILE OFFSET [EVERY]   changes a bit of the byte there, and of every EVERY-th byte
//   behind it millrace_damage_tool relay PORT TO-PORT EVERY   passes connections on the loopback on, and changes a bit
//   of about every
//                                                   EVERY-th byte; prints "damaged N" now and then. SIGTERM ends it
//
// Exit 1 when a file or a port cannot be used, 2 on wrong use.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

int Records(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return 1;
  constexpr std::size_t kHeader = 16;
  std::size_t at = 0;
  while (file.size() - at >= kHeader) {
    std::uint32_t length = 0;
    std::memcpy(&length, file.data() + at, sizeof length);
    if (length > file.size() - at - kHeader) break;
    std::printf("%zu %zu\n", at, kHeader + length);
    at += kHeader + length;
  }
  return 0;
}

int Flip(const char* path, std::uint64_t offset, std::uint64_t every) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto size = static_cast<std::uint64_t>(file.tellg());
  if (!file || offset >= size) return 1;
  for (std::uint64_t at = offset; at < size; at += every == 0 ? size : every) {
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ (1 << (at % 8))));
  }
  return file.flush() ? 0 : 1;
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

class Relay {
 public:
  Relay(std::uint16_t to, std::uint64_t every) : to_(to), every_(every), left_(Next()) {}

  int Run(std::uint16_t port) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = Loopback(port);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener, 64) != 0)
      return 1;
    std::puts("listening");
    std::fflush(stdout);
    while (true) {
      std::vector<pollfd> polled = {{listener, POLLIN, 0}};
      for (const auto& [from, other] : others_) polled.push_back({from, POLLIN, 0});
      if (poll(polled.data(), polled.size(), -1) < 0) continue;
      if (polled[0].revents != 0) Accept(listener);
      for (std::size_t i = 1; i < polled.size(); ++i) {
        if (polled[i].revents != 0) Pass(polled[i].fd);
      }
    }
  }

 private:
  void Accept(int listener) {
    const int from = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    const int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(to_);
    if (from < 0 || connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      close(from);
      close(to);
      return;
    }
    others_[from] = to;
    others_[to] = from;
  }
  void Pass(int from) {
    const auto it = others_.find(from);
    if (it == others_.end()) return;  // closed in this round
    const int to = it->second;
    std::array<char, 16384> buffer;
    const ssize_t n = read(from, buffer.data(), buffer.size());
    for (ssize_t i = 0; i < n; ++i) {
      if (--left_ > 0) continue;
      buffer[static_cast<std::size_t>(i)] =
          static_cast<char>(buffer[static_cast<std::size_t>(i)] ^ (1 << (random_() % 8)));
      left_ = Next();
      std::printf("damaged %llu\n", ++damaged_);
      std::fflush(stdout);
    }
    for (ssize_t sent = 0, now = 0; sent < n; sent += now) {
      now = write(to, buffer.data() + sent, static_cast<std::size_t>(n - sent));
      if (now <= 0) return Close(from, to);
    }
    if (n <= 0) Close(from, to);
  }
  void Close(int one, int other) {
    others_.erase(one);
    others_.erase(other);
    close(one);
    close(other);
  }
  std::uint64_t Next() { return 1 + random_() % (2 * every_); }

  const std::uint16_t to_;
  const std::uint64_t every_;
  std::mt19937_64 random_{20261123};
  std::uint64_t left_;
  unsigned long long damaged_ = 0;
  std::map<int, int> others_;
};

bool Parse(const char* text, std::uint64_t& value) {
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  return error == std::errc() && stop == end;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string command = argc > 2 ? argv[1] : "";
  std::uint64_t one = 0, two = 0, three = 0;
  if (command == "records" && argc == 3) return Records(argv[2]);
  if (command == "flip" && (argc == 4 || argc == 5) && Parse(argv[3], one) && (argc == 4 || Parse(argv[4], two)))
    return Flip(argv[2], one, two);
  if (command == "relay" && argc == 5 && Parse(argv[2], one) && Parse(argv[3], two) && Parse(argv[4], three) &&
      one < 65536 && two < 65536 && three > 0)
    return Relay(static_cast<std::uint16_t>(two), three).Run(static_cast<std::uint16_t>(one));
  std::fputs("usage: millrace_damage_tool records FILE | flip FILE OFFSET [EVERY] | relay PORT TO-PORT EVERY\n",
             stderr);
  return 2;
}
