// Reliable sockets: what was received is stored, whatever the store does, and read again from there.
#include "executor/connectors/socket/socket_receiver.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>

#include "tests/common/eventually.h"
#include "tests/connectors/memory_store.h"
#include "tests/connectors/socket_fixture.h"

namespace millrace {
namespace {

using sockets::SocketReceiver;
using testing::ElementsAre;
using testing::HasSubstr;

class SocketReceiverTest : public testing::Test {
 protected:
  std::unique_ptr<SocketReceiver> Start() {
    auto receiver = std::make_unique<SocketReceiver>(sockets::Settings{}, net::Endpoint{"127.0.0.1", server_.number()});
    EXPECT_TRUE(receiver->Start(store_).ok());
    server_.Accept();
    return receiver;
  }
  std::vector<std::string> Stored() const {
    std::vector<std::string> values;
    for (const StoredRecord& record : store_.records()) values.push_back(record.value);
    return values;
  }

  SocketServer server_;
  MemoryStore store_;
};

TEST_F(SocketReceiverTest, StoresWhatComes) {
  const auto receiver = Start();
  server_.Send("a\nb\n");
  ASSERT_TRUE(store_.AwaitRecords(2));
  EXPECT_THAT(Stored(), ElementsAre("a", "b"));
  EXPECT_EQ(receiver->Problem(), "");
}

TEST_F(SocketReceiverTest, AStoreThatFailsIsTriedAgainUntilItTakesThem) {
  const auto receiver = Start();
  store_.FailNext(ResourceExhausted("the disk is full"), 3);
  server_.Send("a\n");
  ASSERT_TRUE(Eventually([&] { return receiver->Problem().find("the disk is full") != std::string::npos; }));
  EXPECT_THAT(receiver->Problem(), HasSubstr("socket " + server_.name() + ": nothing is received: "));
  ASSERT_TRUE(store_.AwaitRecords(1));
  server_.Send("b\n");
  ASSERT_TRUE(store_.AwaitRecords(2));
  EXPECT_THAT(Stored(), ElementsAre("a", "b"));
  EXPECT_TRUE(Eventually([&] { return receiver->Problem().empty(); }));
}

TEST_F(SocketReceiverTest, AnOwnerWhoLostTheSplitHangsUp) {
  const auto receiver = Start();
  store_.FailNext(Aborted("another runner has it"), 1);
  server_.Send("a\n");
  EXPECT_TRUE(server_.PeerHasHungUp());
  EXPECT_TRUE(store_.records().empty());
  EXPECT_EQ(receiver->Problem(), "");
}

TEST_F(SocketReceiverTest, StopStoresWhatHasArrivedAndHangsUp) {
  const auto receiver = Start();
  server_.Send("a\n");
  ASSERT_TRUE(store_.AwaitRecords(1));
  server_.Send("b\nc\nrest");
  receiver->Stop();
  EXPECT_THAT(Stored(), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(server_.PeerHasHungUp());
}

TEST_F(SocketReceiverTest, NothingMoreIsReadWhileTheStoreWaits) {
  const auto receiver = Start();
  store_.Hold(true);
  const std::size_t limit = 200U << 20;
  const std::size_t sent = server_.SendUntilBlocked(std::string(63, 'x') + "\n", limit);
  EXPECT_LT(sent, limit);
  store_.Hold(false);
  EXPECT_TRUE(store_.AwaitRecords(sent / 64));
}

// The whole source, on a real folder: another runner reads what the first one had received.
TEST_F(SocketReceiverTest, WhatWasStoredSurvivesItsReader) {
  std::string folder = (std::filesystem::temp_directory_path() / "socket-log.XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  SourceEnvironment environment{"j1"};
  environment.storage.place = folder;
  const auto description = Describe("socket", {{"hosts", server_.name()}, {"reliable", "true"}});
  auto first = MakeSource(description, environment);
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string start = (*first)->ListSplits()->splits.at(0).start;
  auto reader = (*first)->OpenSplit(server_.name(), start);
  ASSERT_TRUE(reader.ok()) << reader.status();
  server_.Accept();
  server_.Send("a\nb\nc\n");
  std::string position = start;
  EXPECT_THAT(Values(Collect(**reader, position, 3)), ElementsAre("a", "b", "c"));
  reader->reset();

  auto second = MakeSource(description, environment);
  auto next = (*second)->OpenSplit(server_.name(), start);
  server_.Accept();
  auto again = (*next)->Read(start, position);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(Values(Drain(**again)), ElementsAre("a", "b", "c"));
  server_.Send("d\n");
  EXPECT_THAT(Values(Collect(**next, position, 1)), ElementsAre("d"));
  next->reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace millrace
