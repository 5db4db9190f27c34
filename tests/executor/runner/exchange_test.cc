// Blocks between two runners over real streams: what arrives damaged is noticed, counted, and asked for again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <thread>

#include "common/block/block_wire.h"
#include "common/net/server.h"
#include "executor/runner/block_service.h"
#include "executor/runner/peer_links.h"
#include "tests/common/io/scratch.h"
#include "tests/common/net/test_ca.h"

namespace millrace {
namespace {

using testing::ScratchDirectory;

// What one thread has seen and another waits for.
template <class T>
class Seen {
 public:
  void Add(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    wake_.notify_all();
  }
  std::optional<T> Next() {
    std::unique_lock lock(mutex_);
    if (!wake_.wait_for(lock, std::chrono::seconds(20), [&] { return !values_.empty(); })) return std::nullopt;
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<T> values_;
};

std::shared_ptr<const Block> BlockOf(std::uint32_t map) {
  return MakeBlock({7, 1, 0, map, 0}, map + 100, 2, Concat("data ", map));
}

// The sender: a runner's links with their loop. In a runner they live as long as the process, and so they do here, for
// gRPC may still call them.
struct Sender {
  explicit Sender(const TlsIdentity& self) : identity(self), thread([this] { loop.Run(); }) {}
  ~Sender() {
    loop.Stop();
    thread.join();
  }
  static Sender& New(const TlsIdentity& self) {
    static auto& all = *new std::deque<Sender>;
    return all.emplace_back(self);
  }
  const TlsIdentity identity;
  Seen<runner::MadeBlock> asked;
  Seen<std::string> reconnected;
  std::vector<std::shared_ptr<const Block>> pushed;  // loop thread
  EventLoop loop;
  PeerLinks links{loop,
                  identity,
                  "j-1",
                  "a",
                  [this](const std::string& peer) {
                    links.Push(peer, 1, pushed);  // as the runner's core has it
                    reconnected.Add(peer);
                  },
                  [this](const std::string&, const std::vector<runner::MadeBlock>& blocks) {
                    for (const auto& block : blocks) asked.Add(block);
                  }};
  std::thread thread;
};

class Exchange : public ::testing::Test {
 protected:
  // gRPC ends its callback threads with the last server or channel that uses them, and does not always survive it when
  // another one comes at that moment. A process of ours has always one.
  static void SetUpTestSuite() {
    static auto& ca = *new TestCa("dev");
    static auto& self = *new TlsIdentity(ca.Identity("runner", "j-1/idle"));
    static auto& dir = *new ScratchDirectory;
    static auto& store = *new BlockStore({.dir = dir.path()});
    static auto& service = *new BlockService(self, "j-1", store, [](std::uint64_t, BlockKey, std::uint64_t) {});
    static auto& server = *new auto(StartServer("127.0.0.1:0", self, "test", {&service}));
    ASSERT_TRUE(server.ok());
  }

  // What lives as long as the process is still at work when the process ends.
  static void TearDownTestSuite() {
    ::on_exit(
        [](int status, void*) {
          std::fflush(nullptr);
          ::_exit(status);
        },
        nullptr);
  }

  Exchange() {
    auto server = StartServer("127.0.0.1:0", receiver_, "test", {&service_}, &port_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~Exchange() override {
    std::promise<void> closed;
    sender_.loop.Post([&] {
      sender_.links.Update({});
      closed.set_value();
    });
    closed.get_future().wait();
    server_->Shutdown(std::chrono::system_clock::now());
  }

  std::string address() const { return Concat("127.0.0.1:", port_); }
  void Connect() {
    sender_.loop.Post([&sender = sender_, address = address()] { sender.links.Update({{"b", address}}); });
  }
  void Push(const std::shared_ptr<const Block>& block) {
    sender_.loop.Post([&sender = sender_, block] {
      sender.pushed.push_back(block);
      sender.links.Push("b", 1, {block});
    });
  }

  const TestCa ca_{"dev"};
  const TlsIdentity receiver_ = ca_.Identity("runner", "j-1/b");
  Sender& sender_ = Sender::New(ca_.Identity("runner", "j-1/a"));
  const ScratchDirectory dir_;
  BlockStore store_{{.dir = dir_.path()}};
  Seen<BlockId> arrived_;
  BlockService service_{receiver_, "j-1", store_, [this](std::uint64_t, BlockKey key, std::uint64_t input) {
                          arrived_.Add({key, input});
                        }};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(Exchange, ADamagedBlockIsAskedForAgainAndOthersAreTaken) {
  Connect();
  auto bad = std::make_shared<Block>(*BlockOf(1));
  bad->data[2] = static_cast<char>(bad->data[2] ^ 1);
  Push(bad);
  Push(BlockOf(2));
  const auto asked = sender_.asked.Next();
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->key, bad->key);
  EXPECT_EQ(asked->input_hash, bad->input_hash);
  ASSERT_EQ(arrived_.Next(), BlockOf(2)->id());
  EXPECT_GE(service_.corrupt(), 1u);
  EXPECT_FALSE(store_.Contains(bad->id()));
  Push(BlockOf(1));
  ASSERT_EQ(arrived_.Next(), BlockOf(1)->id());
  EXPECT_EQ((*store_.Get(bad->id()))->data, "data 1");
}

TEST_F(Exchange, TheReceiverAsksForWhatItHasLost) {
  Connect();
  Push(BlockOf(1));
  ASSERT_TRUE(arrived_.Next());
  service_.Ask("a", {{BlockOf(1)->key, 101}});
  const auto asked = sender_.asked.Next();
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->key, BlockOf(1)->key);
  service_.Ask("nobody", {{BlockOf(1)->key, 101}});
}

TEST_F(Exchange, AMessageThatLacksABlockBreaksTheStream) {
  const auto channel = MakeChannel(address(), sender_.identity, "runner", "j-1/b");
  const auto stub = v1::Blocks::NewStub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto stream = stub->Push(&context);
  v1::PushRequest request;
  *request.add_blocks() = ToWire(*BlockOf(1));
  request.set_check(PushCheck(request));
  *request.add_blocks() = ToWire(*BlockOf(2));
  stream->Write(request);
  v1::PushReply reply;
  EXPECT_FALSE(stream->Read(&reply));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS) << status.error_message();
  EXPECT_EQ(service_.corrupt(), 1u);
  EXPECT_FALSE(store_.Contains(BlockOf(1)->id()));
}

// As a connection is that TLS has found damaged.
TEST_F(Exchange, ABrokenStreamIsOpenedAgainAndEverythingPushed) {
  Connect();
  Push(BlockOf(1));
  ASSERT_TRUE(arrived_.Next());
  server_->Shutdown(std::chrono::system_clock::now());
  auto server = StartServer(address(), receiver_, "test", {&service_});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  ASSERT_EQ(sender_.reconnected.Next(), "b");
  ASSERT_EQ(arrived_.Next(), BlockOf(1)->id());
}

// A new route may come while a link is broken: that must not open it unnoticed.
TEST_F(Exchange, ABrokenStreamIsPushedToAgainWhateverRoutesCome) {
  Connect();
  Push(BlockOf(1));
  ASSERT_TRUE(arrived_.Next());
  for (int i = 0; i < 100; ++i) {
    sender_.loop.PostAt(sender_.loop.now_us() + i * 5'000,
                        [this, peers = std::vector<Peer>{{"b", address()}}] { sender_.links.Update(peers); });
  }
  server_->Shutdown(std::chrono::system_clock::now());
  auto server = StartServer(address(), receiver_, "test", {&service_});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  ASSERT_EQ(sender_.reconnected.Next(), "b");
  ASSERT_EQ(arrived_.Next(), BlockOf(1)->id());
}

}  // namespace
}  // namespace millrace
