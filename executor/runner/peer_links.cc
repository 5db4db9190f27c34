#include "executor/runner/peer_links.h"

#include "common/block/block_wire.h"
#include "common/log.h"
#include "common/net/server.h"
#include "common/status.h"

namespace millrace {
namespace {
constexpr std::int64_t kReopenWait = 200'000;
constexpr std::size_t kQueueBytesMax = std::size_t{1}
                                       << 30;  // the blocks of the batches in flight, which the driver bounds
}  // namespace

PeerLinks::PeerLinks(EventLoop& loop, const TlsIdentity& identity, std::string job_id, std::string self,
                     OnReconnected on_reconnected, OnResend on_resend)
    : loop_(loop),
      identity_(identity),
      job_id_(std::move(job_id)),
      self_(std::move(self)),
      on_reconnected_(std::move(on_reconnected)),
      on_resend_(std::move(on_resend)) {}

PeerLinks::~PeerLinks() {
  for (auto& [runner, link] : links_) {
    if (link.stream) link.stream->Close();
  }
}

void PeerLinks::Update(const std::vector<Peer>& peers) {
  std::map<std::string, Link> kept;
  std::vector<std::string> made;
  for (const Peer& peer : peers) {
    if (peer.runner == self_) continue;
    if (auto old = links_.extract(peer.runner); !old.empty() && old.mapped().address == peer.block_address) {
      kept.insert(std::move(old));
      continue;
    }
    made.push_back(peer.runner);
    Link& link = kept[peer.runner];
    link.address = peer.block_address;
    link.channel = MakeChannel(peer.block_address, identity_, "runner", Concat(job_id_, "/", peer.runner));
    link.stub = v1::Blocks::NewStub(link.channel);
  }
  for (auto& [runner, link] : links_) {
    if (link.stream) link.stream->Close();
  }
  links_ = std::move(kept);
  // A link that is broken just now opens by itself in a moment, and then says so: what was under way to it is pushed
  // again.
  for (const std::string& runner : made) Open(runner, links_.at(runner));
}

void PeerLinks::Open(const std::string& runner, Link& link) {
  auto identity = std::make_shared<const PushStream*>(nullptr);
  link.stream = PushStream::Make({
      .on_message =
          [this, peer = runner](v1::PushReply reply, std::function<void()> next) {
            std::vector<runner::MadeBlock> damaged;
            for (const v1::Block& block : reply.resend()) damaged.push_back({KeyFromWire(block), block.input_hash()});
            loop_.Post([this, peer, damaged = std::move(damaged), next = std::move(next)] {
              on_resend_(peer, damaged);
              next();
            });
          },
      .on_closed =
          [this, runner, identity](const grpc::Status& status) {
            loop_.Post([this, runner, stream = *identity, status] { Closed(runner, stream, status); });
          },
      .queue_bytes_max = kQueueBytesMax,
  });
  *identity = link.stream.get();
  link.stream->Start([&](grpc::ClientContext* context, auto* reactor) { link.stub->async()->Push(context, reactor); });
}

void PeerLinks::Closed(const std::string& runner, const PushStream* stream, const grpc::Status& status) {
  const auto it = links_.find(runner);
  if (it == links_.end() || it->second.stream.get() != stream) return;
  log::Warn("peer lost, connecting again",
            {{"peer", runner}, {"why", ExplainConnectFailure(status, it->second.address)}});
  it->second.stream.reset();
  loop_.PostAt(loop_.now_us() + kReopenWait, [this, runner] {
    const auto link = links_.find(runner);
    if (link == links_.end() || link->second.stream) return;
    Open(runner, link->second);
    on_reconnected_(runner);
  });
}

void PeerLinks::Push(const std::string& runner, std::uint64_t epoch, std::vector<std::shared_ptr<const Block>> blocks) {
  const auto it = links_.find(runner);
  if (it == links_.end() || !it->second.stream) return;
  v1::PushRequest request;
  request.set_epoch(epoch);
  for (const auto& block : blocks) *request.add_blocks() = ToWire(*block);
  request.set_check(PushCheck(request));
  it->second.stream->Send(std::move(request));
}

}  // namespace millrace
