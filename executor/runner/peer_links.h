// Streams to the other runners of the job, to push blocks. A stream that breaks is opened again, and then everything
// still under way is to be pushed again: taking a block twice is harmless.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/block/block.h"
#include "common/dataflow/messages.h"
#include "common/event_loop.h"
#include "common/net/stream.h"
#include "common/net/tls.h"
#include "executor/runner/core/events.h"
#include "millrace/v1/block.grpc.pb.h"

namespace millrace {

// Loop thread only.
class PeerLinks {
 public:
  using OnReconnected = std::function<void(const std::string& runner)>;
  using OnResend = std::function<void(const std::string& runner, std::vector<runner::MadeBlock> blocks)>;

  PeerLinks(EventLoop& loop, const TlsIdentity& identity, std::string job_id, std::string self,
            OnReconnected on_reconnected, OnResend on_resend);
  ~PeerLinks();

  // Opens what is new, closes what is gone.
  void Update(const std::vector<Peer>& peers);
  // Nothing happens when the peer is not known (any more): the next route says who needs the blocks.
  void Push(const std::string& runner, std::uint64_t epoch, std::vector<std::shared_ptr<const Block>> blocks);

 private:
  using PushStream = ClientStream<v1::PushReply, v1::PushRequest>;
  struct Link {
    std::string address;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<v1::Blocks::Stub> stub;
    std::shared_ptr<PushStream> stream;
  };
  void Open(const std::string& runner, Link& link);
  void Closed(const std::string& runner, const PushStream* stream, const grpc::Status& status);

  EventLoop& loop_;
  const TlsIdentity& identity_;
  const std::string job_id_;
  const std::string self_;
  const OnReconnected on_reconnected_;
  const OnResend on_resend_;
  std::map<std::string, Link> links_;
};

}  // namespace millrace
