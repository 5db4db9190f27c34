#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "tests/connectors/collect.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A listening socket on the loopback and the connection it accepted last.
class Server {
 public:
  Server() { Listen(0); }
  ~Server() {
    HangUp();
    if (listener_ >= 0) close(listener_);
  }

  void Listen(std::uint16_t port) {
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
  void StopListening() {
    close(listener_);
    listener_ = -1;
  }
  void Accept() {
    pollfd polled{listener_, POLLIN, 0};
    ASSERT_EQ(poll(&polled, 1, 10'000), 1) << "nobody connected";
    connection_ = accept(listener_, nullptr, nullptr);
    ASSERT_GE(connection_, 0);
  }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  // Sends until the peer takes no more for 300 ms; returns how much it took.
  std::size_t SendUntilBlocked(const std::string& bytes, std::size_t limit) {
    std::size_t sent = 0;
    pollfd polled{connection_, POLLOUT, 0};
    while (sent < limit && poll(&polled, 1, 300) == 1) {
      const ssize_t n = send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) sent += static_cast<std::size_t>(n);
    }
    return sent;
  }
  void HangUp() {
    if (connection_ >= 0) close(connection_);
    connection_ = -1;
  }
  std::string port() const { return std::to_string(port_); }
  std::uint16_t number() const { return port_; }

 private:
  int listener_ = -1;
  int connection_ = -1;
  std::uint16_t port_ = 0;
};

std::unique_ptr<Source> Make(const std::string& port, engine::Options more = {}) {
  more.insert({{"host", "127.0.0.1"}, {"port", port}});
  auto source = MakeSource(Describe("socket", std::move(more)), "j1");
  EXPECT_TRUE(source.ok()) << source.status();
  return std::move(*source);
}

bool Await(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// Closes ranges until `count` records have come.
std::vector<Seen> Collect(SplitReader& reader, std::string& position, std::size_t count) {
  std::vector<Seen> all;
  EXPECT_TRUE(Await([&] {
    auto range = reader.Close(position, 0);
    EXPECT_TRUE(range.ok()) << range.status();
    if (!range.ok()) return true;
    position = range->end;
    for (Seen& seen : Drain(*range->data)) all.push_back(std::move(seen));
    return all.size() >= count;
  }));
  return all;
}

TEST(SocketSource, HasOneSplitForEver) {
  auto list = Make("4242")->ListSplits();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->splits.size(), 1u);
  EXPECT_EQ(list->splits[0].split, "127.0.0.1:4242");
  EXPECT_TRUE(list->complete);
}

TEST(SocketSource, CutsLinesAcrossPackets) {
  Server server;
  auto source = Make(server.port());
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "5");
  ASSERT_TRUE(reader.ok());
  server.Accept();
  server.Send("one\r\ntw");
  server.Send("o\n\nlast");
  server.HangUp();
  std::string position = "5";
  const auto seen = Collect(**reader, position, 4);
  EXPECT_THAT(Values(seen), ElementsAre("one", "two", "", "last"));
  EXPECT_EQ(seen[3].position, 8);
  EXPECT_EQ(position, "9");
}

TEST(SocketSource, HandsOverNoMoreThanAsked) {
  Server server;
  auto source = Make(server.port());
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "0");
  server.Accept();
  server.Send("a\nb\nc\n");
  std::string position = "0";
  std::vector<std::string> all;
  while (all.size() < 3) {
    auto range = (*reader)->Close(position, 1);
    ASSERT_TRUE(range.ok());
    EXPECT_LE(range->records, 1u);
    position = range->end;
    for (const Seen& seen : Drain(*range->data)) all.push_back(seen.value);
  }
  EXPECT_THAT(all, ElementsAre("a", "b", "c"));
}

TEST(SocketSource, CutsLongLinesAndSaysSo) {
  Server server;
  auto source = Make(server.port(), {{"max_line_bytes", "4"}});
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "0");
  server.Accept();
  server.Send("12345");
  server.Send("6789\nabcd\n");
  std::string position = "0";
  EXPECT_THAT(Values(Collect(**reader, position, 2)), ElementsAre("1234", "abcd"));
  EXPECT_EQ(source->Problem(), "1 lines were longer than 4 bytes and were cut (option max_line_bytes)");
}

TEST(SocketSource, ShowsAnOutageAndComesBack) {
  Server server;
  server.StopListening();
  auto source = Make(server.port());
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "0");
  ASSERT_TRUE(Await([&] { return !source->Problem().empty(); }));
  EXPECT_EQ(source->Problem(), "127.0.0.1:" + server.port() + ": cannot connect: Connection refused; trying again");
  server.Listen(server.number());
  server.Accept();
  server.Send("x\n");
  std::string position = "0";
  EXPECT_THAT(Values(Collect(**reader, position, 1)), ElementsAre("x"));
  EXPECT_EQ(source->Problem(), "");
  server.HangUp();
  ASSERT_TRUE(Await([&] { return !source->Problem().empty(); }));
  EXPECT_THAT(source->Problem(), HasSubstr("the server closed the connection; trying again"));
  server.Accept();
  server.Send("y\n");
  EXPECT_THAT(Values(Collect(**reader, position, 1)), ElementsAre("y"));
}

TEST(SocketSource, LinesAreKeptUntilTheyMayBeForgotten) {
  Server server;
  auto source = Make(server.port());
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "0");
  server.Accept();
  server.Send("a\nb\nc\n");
  std::string position = "0";
  EXPECT_THAT(Values(Collect(**reader, position, 3)), ElementsAre("a", "b", "c"));
  auto again = (*reader)->Read("1", "3");
  ASSERT_TRUE(again.ok()) << again.status();
  std::vector<std::string> values;
  for (const auto& record : (*again)->Next()) values.emplace_back(record.value);
  EXPECT_THAT(values, ElementsAre("b", "c"));
  auto cut_again = (*reader)->Close("0", 2);  // by another driver, who knows nothing of the first cut
  ASSERT_TRUE(cut_again.ok()) << cut_again.status();
  EXPECT_EQ(cut_again->end, "2");
  EXPECT_EQ(cut_again->records, 2u);
}

TEST(SocketSource, WhatAnotherRunnerHadIsSkipped) {
  Server server;
  auto source = Make(server.port());
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "0");
  server.Accept();
  EXPECT_EQ((*reader)->Read("0", "7").status().code(), absl::StatusCode::kDataLoss);
  server.Send("x\n");
  std::string position = "7";
  EXPECT_THAT(Values(Collect(**reader, position, 1)), ElementsAre("x"));
  EXPECT_EQ(position, "8");
}

TEST(SocketSource, ForgottenLinesAreGone) {
  Server server;
  auto source = Make(server.port());
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "0");
  server.Accept();
  server.Send("x\n");
  std::string position = "0";
  Collect(**reader, position, 1);
  (*reader)->Forget("1");
  EXPECT_EQ((*reader)->Close("0", 0).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ((*reader)->Read("0", "1").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE((*reader)->Close("1", 0).ok());
}

TEST(SocketSource, StopsReadingWhenNobodyTakesTheLines) {
  Server server;
  auto source = Make(server.port());
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "0");
  server.Accept();
  const std::size_t limit = 200 * 1024 * 1024;
  const std::size_t sent = server.SendUntilBlocked(std::string(63, 'x') + "\n", limit);
  EXPECT_LT(sent, limit);
  // What was sent is all there, and the reader ends although the sender is stuck.
  std::string position = "0";
  EXPECT_EQ(Collect(**reader, position, sent / 64).size(), sent / 64);
}

TEST(SocketSource, EndsPromptlyWhileWaiting) {
  Server server;
  auto source = Make(server.port());
  auto reader = source->OpenSplit("127.0.0.1:" + server.port(), "0");
  server.Accept();
  const auto begin = std::chrono::steady_clock::now();
  reader->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

}  // namespace
}  // namespace millrace
