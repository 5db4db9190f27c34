#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/common/eventually.h"
#include "tests/connectors/socket_fixture.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SocketSource, HasOneSplitForEver) {
  auto list = MakeSocket("4242")->ListSplits();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->splits.size(), 1u);
  EXPECT_EQ(list->splits[0].split, "127.0.0.1:4242");
  EXPECT_TRUE(list->complete);
}

TEST(SocketSource, CutsLinesAcrossPackets) {
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "5");
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
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
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
  SocketServer server;
  auto source = MakeSocket(server.port(), {{"max_record_bytes", "4"}});
  auto reader = source->OpenSplit(server.name(), "0");
  server.Accept();
  server.Send("12345");
  server.Send("6789\nabcd\n");
  std::string position = "0";
  EXPECT_THAT(Values(Collect(**reader, position, 2)), ElementsAre("1234", "abcd"));
  EXPECT_EQ(source->Problem(),
            "socket " + server.name() + ": 1 records were longer than 4 bytes and were cut (option max_record_bytes)");
}

TEST(SocketSource, ShowsAnOutageAndComesBack) {
  SocketServer server;
  server.StopListening();
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
  ASSERT_TRUE(Eventually([&] { return !source->Problem().empty(); }));
  EXPECT_EQ(source->Problem(), "socket " + server.name() +
                                   ": cannot connect: Connection refused; is the server running, and is the port "
                                   "right?; trying again");
  server.Listen(server.number());
  server.Accept();
  server.Send("x\n");
  std::string position = "0";
  EXPECT_THAT(Values(Collect(**reader, position, 1)), ElementsAre("x"));
  EXPECT_EQ(source->Problem(), "");
  server.HangUp();
  ASSERT_TRUE(Eventually([&] { return !source->Problem().empty(); }));
  EXPECT_THAT(source->Problem(), HasSubstr("the server closed the connection; trying again"));
  server.Accept();
  server.Send("y\n");
  EXPECT_THAT(Values(Collect(**reader, position, 1)), ElementsAre("y"));
}

TEST(SocketSource, LinesAreKeptUntilTheyMayBeForgotten) {
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
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
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
  server.Accept();
  EXPECT_EQ((*reader)->Read("0", "7").status().code(), absl::StatusCode::kDataLoss);
  server.Send("x\n");
  std::string position = "7";
  EXPECT_THAT(Values(Collect(**reader, position, 1)), ElementsAre("x"));
  EXPECT_EQ(position, "8");
}

TEST(SocketSource, ForgottenLinesAreGone) {
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
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
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
  server.Accept();
  const std::size_t limit = 200 * 1024 * 1024;
  const std::size_t sent = server.SendUntilBlocked(std::string(63, 'x') + "\n", limit);
  EXPECT_LT(sent, limit);
  // What was sent is all there, and the reader ends although the sender is stuck.
  std::string position = "0";
  EXPECT_EQ(Collect(**reader, position, sent / 64).size(), sent / 64);
}

TEST(SocketSource, EndsPromptlyWhileWaiting) {
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
  server.Accept();
  const auto begin = std::chrono::steady_clock::now();
  reader->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

TEST(SocketSource, ADrainGivesWhatHasArrivedAndHangsUp) {
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
  ASSERT_TRUE(reader.ok());
  server.Accept();
  server.Send("one\n");
  std::string position = "0";
  Collect(**reader, position, 1);
  server.Send("two\nthree\nfou");
  (*reader)->Drain();
  (*reader)->Drain();
  const auto closed = (*reader)->Close(position, 0);
  ASSERT_TRUE(closed.ok());
  EXPECT_THAT(Values(Drain(*closed->data)), ElementsAre("two", "three")) << "a line without its end is none";
  EXPECT_EQ(source->Problem(), "") << "that is no trouble";
  EXPECT_EQ((*reader)->Close("3", 0)->records, 0u);
}

TEST(SocketSource, EachServerIsASplit) {
  SocketServer one, two;
  auto source = MakeSocket("1", {{"hosts", one.name() + ", " + two.name()}});
  const auto list = source->ListSplits();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->splits.size(), 2u);
  auto first = source->OpenSplit(one.name(), "0");
  auto second = source->OpenSplit(two.name(), "0");
  one.Accept();
  two.Accept();
  one.Send("a\n");
  two.Send("b\n");
  std::string at = "0";
  EXPECT_THAT(Values(Collect(**first, at, 1)), ElementsAre("a"));
  at = "0";
  EXPECT_THAT(Values(Collect(**second, at, 1)), ElementsAre("b"));
  two.StopListening();
  two.HangUp();
  EXPECT_TRUE(Eventually([&] { return source->Problem().find(two.name() + ": cannot connect") != std::string::npos; }));
  EXPECT_EQ(source->Problem().find(one.name()), std::string::npos) << "only the one that is away is named";
  EXPECT_THAT(ErrorOf(source->OpenSplit("127.0.0.1:1", "0")), HasSubstr("no server '127.0.0.1:1'"));
}

TEST(SocketSource, APartOfARecordIsNoRecordWhenTheConnectionBreaks) {
  SocketServer server;
  auto source = MakeSocket(server.port());
  auto reader = source->OpenSplit(server.name(), "0");
  server.Accept();
  server.Send("whole\npa");
  std::string position = "0";
  Collect(**reader, position, 1);
  server.Reset();
  EXPECT_TRUE(Eventually([&] { return source->Problem().find("1 records were cut off") != std::string::npos; }));
  server.Accept();
  server.Send("next\n");
  EXPECT_THAT(Values(Collect(**reader, position, 1)), ElementsAre("next"));
  EXPECT_THAT(source->Problem(), HasSubstr("1 records were cut off by the end of a connection"));
}

TEST(SocketSource, ASilentServerIsGivenUpAndCalledAgain) {
  SocketServer server;
  auto source = MakeSocket(server.port(), {{"idle_timeout_ms", "300"}});
  auto reader = source->OpenSplit(server.name(), "0");
  server.Accept();
  server.Send("a\n");
  std::string position = "0";
  Collect(**reader, position, 1);
  EXPECT_TRUE(server.PeerHasHungUp());
  EXPECT_TRUE(Eventually([&] { return source->Problem().find("nothing has come for 300 ms") != std::string::npos; }));
  // It has perhaps been called and given up again before it accepts.
  for (std::uint64_t records = 0; records == 0;) {
    server.Accept();
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_THAT(source->Problem(), HasSubstr("nothing has come for 300 ms")) << "a connection is no record";
    server.Send("b\n");
    EXPECT_TRUE(server.PeerHasHungUp());
    records = (*reader)->Close("1", 0)->records;
  }
}

// The kernel's own table of connections: 02 in the column "tr" is a timer of keepalive, and when it fires, in 1/100 s.
long KeepaliveTimer(std::uint16_t remote_port) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::array<char, 8> port{};
  std::snprintf(port.data(), port.size(), ":%04X", remote_port);
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer;
    words >> number >> local >> remote >> state >> queues >> timer;
    if (!remote.ends_with(port.data()) || state != "01") continue;
    return timer.starts_with("02:") ? std::stol(timer.substr(3), nullptr, 16) : -1;
  }
  return -2;
}

TEST(SocketSource, TcpAsksASilentPeer) {
  for (const long seconds : {0L, 7L}) {
    SocketServer server;
    auto source = MakeSocket(server.port(), {{"keepalive_ms", std::to_string(seconds * 1000)}});
    auto reader = source->OpenSplit(server.name(), "0");
    server.Accept();
    server.Send("a\n");
    std::string position = "0";
    Collect(**reader, position, 1);  // the options are set once records come
    const long timer = KeepaliveTimer(server.number());
    if (seconds == 0) {
      EXPECT_EQ(timer, -1);
    } else {
      EXPECT_GT(timer, 0);
      EXPECT_LE(timer, seconds * 100);
    }
  }
}

TEST(SocketSource, FramesOfTheirOwnLength) {
  SocketServer server;
  auto source = MakeSocket(server.port(), {{"framing", "length:2"}, {"max_record_bytes", "5"}, {"too_long", "drop"}});
  auto reader = source->OpenSplit(server.name(), "0");
  server.Accept();
  using namespace std::string_view_literals;
  server.Send("\0\3a\nb\0"sv);
  server.Send("\6toobig\0\0\0\2ok\0\4cut"sv);
  std::string position = "0";
  EXPECT_THAT(Values(Collect(**reader, position, 3)), ElementsAre("a\nb", "", "ok"));
  server.HangUp();
  EXPECT_TRUE(Eventually([&] { return source->Problem().find("1 records were cut off") != std::string::npos; }));
  EXPECT_THAT(source->Problem(), HasSubstr("1 records were longer than 5 bytes and were dropped"));
}

}  // namespace
}  // namespace millrace
