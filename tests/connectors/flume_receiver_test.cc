#include <gmock/gmock.h>

#include <thread>

#include "executor/connectors/flume/thrift_call.h"
#include "tests/common/eventually.h"
#include "tests/connectors/flume_fixture.h"
#include "tests/connectors/memory_store.h"

namespace millrace {
namespace {

using flume_wire::Status;
using testing::HasSubstr;
using testing::Pair;

class FlumeReceiverTest : public testing::Test {
 protected:
  void Start(FlumeSettings settings = TestSettings()) {
    receiver_ = std::make_unique<FlumeReceiver>(std::move(settings));
    const absl::Status status = receiver_->Start(store_);
    ASSERT_TRUE(status.ok()) << status;
    port_ = AwaitPort(*receiver_);
  }
  std::vector<std::string> values() const {
    std::vector<std::string> out;
    for (const StoredRecord& record : store_.records()) out.push_back(record.value);
    return out;
  }
  std::uint64_t incidents(std::string_view kind) const { return receiver_->server()->incidents().count(kind); }
  // The receiver still serves who behaves.
  void ExpectServes() {
    AgentClient client(port_);
    EXPECT_EQ(client->append(Event("still here")), Status::OK);
  }

  MemoryStore store_;
  std::unique_ptr<FlumeReceiver> receiver_;
  std::uint16_t port_ = 0;
};

TEST_F(FlumeReceiverTest, EventBecomesRecord) {
  FlumeSettings settings = TestSettings();
  settings.id_header = "uuid";
  settings.key_header = "host";
  Start(settings);
  AgentClient client(port_);
  EXPECT_EQ(client->append(Event("body", {{"timestamp", "1700000000123"}, {"uuid", "u1"}, {"host", "web1"}})),
            Status::OK);
  EXPECT_EQ(client->append(Event(std::string("\0\xff", 2), {{"timestamp", "soon"}})), Status::OK);
  const auto records = store_.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].value, "body");
  EXPECT_EQ(records[0].id, "u1");
  EXPECT_EQ(records[0].key, "web1");
  EXPECT_EQ(records[0].timestamp_us, 1'700'000'000'123'000);
  EXPECT_THAT(records[0].headers,
              testing::ElementsAre(Pair("host", "web1"), Pair("timestamp", "1700000000123"), Pair("uuid", "u1")));
  EXPECT_EQ(records[1].value, std::string("\0\xff", 2));
  EXPECT_EQ(records[1].timestamp_us, 0);
  EXPECT_EQ(receiver_->incidents().count(FlumeReceiver::kNoId), 1U);
  EXPECT_THAT(receiver_->Problem(), HasSubstr("had no header 'uuid'"));
}

TEST_F(FlumeReceiverTest, BatchesOfBothEncodingsKeepTheirOrder) {
  Start();
  for (const Encoding encoding : {Encoding::kCompact, Encoding::kBinary}) {
    AgentClient client(port_, encoding);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(client->appendBatch(Events(1000, std::to_string(i) + "-")), Status::OK);
  }
  const auto records = store_.records();
  ASSERT_EQ(records.size(), 20'000U);
  for (std::size_t i = 0; i < records.size(); ++i) {
    ASSERT_EQ(records[i].value, std::to_string(i / 1000 % 10) + "-" + std::to_string(i % 1000));
  }
  EXPECT_EQ(receiver_->Problem(), "");
}

TEST_F(FlumeReceiverTest, EmptyBatchIsOk) {
  Start();
  AgentClient client(port_);
  EXPECT_EQ(client->appendBatch({}), Status::OK);
  EXPECT_EQ(store_.calls(), 0);
}

TEST_F(FlumeReceiverTest, ManyAgentsAtOnce) {
  Start();
  constexpr int kAgents = 8, kBatches = 20, kEvents = 50;
  std::vector<std::thread> agents;
  for (int a = 0; a < kAgents; ++a) {
    agents.emplace_back([this, a] {
      AgentClient client(port_);
      for (int b = 0; b < kBatches; ++b) {
        EXPECT_EQ(client->appendBatch(Events(kEvents, std::to_string(a) + "/" + std::to_string(b) + "/")), Status::OK);
      }
    });
  }
  for (std::thread& agent : agents) agent.join();
  auto all = values();
  EXPECT_EQ(all.size(), std::size_t{kAgents} * kBatches * kEvents);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
}

TEST_F(FlumeReceiverTest, AnswersOnlyWhenStored) {
  Start();
  store_.Hold(true);
  AgentClient client(port_);
  std::atomic<bool> answered = false;
  std::thread agent([&] {
    EXPECT_EQ(client->append(Event("a")), Status::OK);
    answered = true;
  });
  ASSERT_TRUE(store_.AwaitEntered(1));
  EXPECT_FALSE(answered);
  store_.Hold(false);
  agent.join();
  EXPECT_EQ(store_.records().size(), 1U);
}

TEST_F(FlumeReceiverTest, FailedWhileTheStorageFails) {
  Start();
  store_.FailNext(ResourceExhausted("no space left on /wal"), 1);
  AgentClient client(port_);
  EXPECT_EQ(client->appendBatch(Events(3)), Status::FAILED);
  EXPECT_THAT(receiver_->Problem(), HasSubstr("no space left on /wal"));
  EXPECT_EQ(client->appendBatch(Events(3)), Status::OK);
  EXPECT_EQ(receiver_->Problem(), "");
  EXPECT_EQ(store_.records().size(), 3U);
}

TEST_F(FlumeReceiverTest, RecordTheStoreRefusesIsToldAndHarmsNobodyElse) {
  Start();
  store_.RefuseLongerThan(100);
  store_.Hold(true);
  AgentClient first(port_), large(port_), small(port_);
  std::thread one([&] { EXPECT_EQ(first->append(Event("x")), Status::OK); });
  ASSERT_TRUE(store_.AwaitEntered(1));
  // These two wait together and are tried together, then alone.
  std::thread two([&] { EXPECT_EQ(large->append(Event(std::string(101, 'l'))), Status::FAILED); });
  std::thread three([&] { EXPECT_EQ(small->append(Event("s")), Status::OK); });
  store_.Hold(false);
  for (std::thread* thread : {&one, &two, &three}) thread->join();
  EXPECT_THAT(receiver_->Problem(), HasSubstr("a record of 101 bytes"));
  EXPECT_THAT(values(), testing::UnorderedElementsAre("x", "s"));
}

TEST_F(FlumeReceiverTest, TakenOverItClosesEverything) {
  Start();
  store_.FailNext(MakeStatus(absl::StatusCode::kAborted, "another runner has the split"), 1);
  AgentClient idle(port_), client(port_);
  EXPECT_THROW(client->append(Event("a")), apache::thrift::TException);
  EXPECT_TRUE(Eventually([&] { return receiver_->server()->port() == 0; }));
  EXPECT_THROW(idle->append(Event("b")), apache::thrift::TException);
  EXPECT_TRUE(store_.records().empty());
}

TEST_F(FlumeReceiverTest, StopAnswersWhatIsStored) {
  Start();
  store_.Hold(true);
  AgentClient client(port_);
  std::thread agent([&] { EXPECT_EQ(client->append(Event("a")), Status::OK); });
  ASSERT_TRUE(store_.AwaitEntered(1));
  std::thread stopper([&] { receiver_->Stop(); });
  ASSERT_TRUE(Eventually([&] { return receiver_->server()->port() == 0; }));
  store_.Hold(false);
  stopper.join();
  agent.join();
  EXPECT_EQ(store_.records().size(), 1U);
  EXPECT_EQ(receiver_->server()->connections(), 0U);
}

TEST_F(FlumeReceiverTest, WhoHungUpWhileWaitingIsNotStored) {
  Start();
  store_.Hold(true);
  AgentClient first(port_);
  std::thread one([&] { EXPECT_EQ(first->append(Event("first")), Status::OK); });
  ASSERT_TRUE(store_.AwaitEntered(1));
  {
    AgentClient gone(port_);
    gone->send_append(Event("gone"));
    ASSERT_TRUE(Eventually([&] { return receiver_->server()->frames() == 2; }));
  }
  // Its connection is free again while the store still holds back.
  EXPECT_TRUE(Eventually([&] { return receiver_->server()->connections() == 1; }));
  store_.Hold(false);
  one.join();
  EXPECT_THAT(values(), testing::ElementsAre("first"));
}

TEST_F(FlumeReceiverTest, MalformedBytesCloseTheirConnectionAlone) {
  Start();
  AgentClient steady(port_);
  EXPECT_EQ(steady->append(Event("before")), Status::OK);
  const std::vector<std::string> frames = {
      "",
      "GET / HTTP/1.1",
      std::string("\x82\x21\x01", 3),                                                  // cut short
      std::string("\x82\x21\x01\x0b", 4) + "appendBatch\x19\xfc\xff\xff\xff\xff\x07",  // a list of 2^31 events
      std::string("\x82\x21\x01\x06", 4) + "append" + std::string(40, '\xff'),
      std::string("\x82\x21\x01\x05", 4) + "other" + std::string(1, '\0'),
      std::string("\x82\x41\x01\x06", 4) + "append" + std::string(1, '\0'),  // a reply
      std::string("\x80\x01\x00\x01\x7f\xff\xff\xff", 8) + "append",         // a name of 2 GiB
      std::string(1000, '\x82'),
  };
  for (const std::string& frame : frames) {
    RawClient raw(port_);
    raw.SendFrame(frame);
    raw.ReadToEnd();
  }
  EXPECT_TRUE(Eventually([&] { return incidents(FrameServer::kMalformed) == frames.size(); }))
      << incidents(FrameServer::kMalformed) << " " << receiver_->Problem();
  EXPECT_THAT(receiver_->Problem(), HasSubstr("malformed frame, last 127.0.0.1:"));
  EXPECT_EQ(steady->append(Event("after")), Status::OK);
  EXPECT_THAT(values(), testing::ElementsAre("before", "after"));
}

// Memory is taken for what a length says only when the frame can hold it.
TEST(FlumeCall, LengthsThatLieAreRefusedBeforeMemoryIsTaken) {
  const auto error = [](const std::string& frame) {
    const auto answer = AnswerCall(frame, 1000, [](auto) { return absl::OkStatus(); });
    return answer.ok() ? "no error" : Message(answer.status());
  };
  const std::string call = std::string("\x82\x21\x01\x0b", 4) + "appendBatch";
  // A method's name, a list, a map and a body of two thousand millions.
  EXPECT_THAT(error(std::string("\x80\x01\x00\x01\x7f\xff\xff\xff", 8) + "append"), HasSubstr("size limit"));
  EXPECT_THAT(error(std::string("\x82\x21\x01\xff\xff\xff\xff\x07", 8)), HasSubstr("size limit"));
  EXPECT_THAT(error(call + "\x19\xfc\xff\xff\xff\xff\x07"), HasSubstr("size limit"));
  EXPECT_THAT(error(call + "\x19\x1c\x1b\xff\xff\xff\xff\x07\x88"), HasSubstr("size limit"));
  EXPECT_THAT(error(call + std::string("\x19\x1c\x1b\x00\x18\xff\xff\xff\xff\x07", 10)), HasSubstr("size limit"));
}

TEST_F(FlumeReceiverTest, RandomBytesDoNoHarm) {
  Start();
  std::uint64_t state = 1;
  const auto next = [&state] { return state = state * 6364136223846793005ULL + 1442695040888963407ULL; };
  // A good call, damaged in one to four places.
  const std::string good = std::string("\x82\x21\x01\x0b", 4) + "appendBatch" +
                           std::string(
                               "\x19\x2c\x1b\x01\x88\x01k\x01v\x18\x03"
                               "abc\x00\x1b\x00\x18\x01z\x00\x00",
                               22);
  std::size_t decoded = 0;
  ASSERT_TRUE(AnswerCall(good, 10, [&](auto events) {
                decoded = events.size();
                return absl::OkStatus();
              }).ok());
  ASSERT_EQ(decoded, 2U);
  for (int i = 0; i < 300; ++i) {
    std::string frame = good;
    for (std::uint64_t damage = next() >> 62; damage <= 3; ++damage) {
      const std::uint64_t random = next() >> 32;
      frame[random % frame.size()] = static_cast<char>(random >> 16);
    }
    RawClient raw(port_);
    raw.SendFrame(frame);
    raw.FinishSending();
    raw.ReadToEnd();
  }
  EXPECT_TRUE(Eventually([&] { return receiver_->server()->connections() == 0; }));
  ExpectServes();
}

TEST_F(FlumeReceiverTest, OverLargeFrameIsRefusedBeforeItIsRead) {
  Start();
  RawClient raw(port_);
  raw.Send(std::string_view("\x7f\xff\xff\xff", 4));
  EXPECT_EQ(raw.ReadToEnd(), "");
  EXPECT_EQ(incidents(FrameServer::kOversized), 1U);
  EXPECT_THAT(receiver_->Problem(), HasSubstr("max_frame_bytes"));
  AgentClient client(port_);
  EXPECT_THROW(client->append(Event(std::string(2 << 20, 'x'))), apache::thrift::TException);
  ExpectServes();
}

TEST_F(FlumeReceiverTest, TooManyEventsInABatch) {
  Start();
  AgentClient client(port_);
  EXPECT_THROW(client->appendBatch(Events(10'001)), apache::thrift::TException);
  EXPECT_TRUE(store_.records().empty());
  ExpectServes();
}

TEST_F(FlumeReceiverTest, FrameThatIsCutShortIsCounted) {
  Start();
  {
    RawClient raw(port_);
    raw.Send(std::string_view("\0\0\1\0half", 8));
  }
  RawClient quiet(port_);  // connected and silent: that is no fault
  EXPECT_TRUE(Eventually([&] { return incidents(FrameServer::kBroken) == 1; }));
  EXPECT_THAT(receiver_->Problem(), HasSubstr("in the middle of a frame"));
  ExpectServes();
}

TEST_F(FlumeReceiverTest, ConnectionsAreBounded) {
  FlumeSettings settings = TestSettings();
  settings.max_connections = 2;
  Start(settings);
  AgentClient one(port_);
  {
    AgentClient two(port_);
    EXPECT_EQ(one->append(Event("1")), Status::OK);
    EXPECT_EQ(two->append(Event("2")), Status::OK);
    RawClient three(port_);
    EXPECT_EQ(three.ReadToEnd(), "");
    EXPECT_THAT(receiver_->Problem(), HasSubstr("as 2 are open already (option max_connections)"));
  }
  EXPECT_TRUE(Eventually([&] { return receiver_->server()->connections() == 1; }));
  ExpectServes();
}

TEST_F(FlumeReceiverTest, TakenPortGivesTheNextOrAProblem) {
  Start();
  FlumeSettings settings = TestSettings();
  settings.port = port_;
  FlumeReceiver same(settings);
  MemoryStore store;
  ASSERT_TRUE(same.Start(store).ok());
  EXPECT_TRUE(Eventually([&] { return !same.Problem().empty(); }));
  EXPECT_THAT(same.Problem(), HasSubstr("Address already in use"));
  // When the port is free again it is taken.
  receiver_->Stop();
  EXPECT_TRUE(Eventually([&] { return same.server()->port() == port_; }));
  EXPECT_EQ(same.Problem(), "");
}

}  // namespace
}  // namespace millrace
