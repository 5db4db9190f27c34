#include "executor/runner/block_service.h"

#include "common/block/block_wire.h"
#include "common/log.h"
#include "common/net/grpc_status.h"
#include "common/net/stream.h"
#include "common/status.h"

namespace millrace {
namespace {

// The runner's id.
absl::StatusOr<std::string> CheckPeer(const grpc::CallbackServerContext& context, const TlsIdentity& self,
                                      const std::string& job_id) {
  MR_RETURN_IF_ERROR(RequireRole(context, self, {"runner"}, "Blocks/Push"));
  MR_ASSIGN_OR_RETURN(const PeerName peer, PeerOf(context));
  if (!peer.id.starts_with(job_id + "/")) return PermissionDenied("runner ", peer.id, " is not of job ", job_id);
  return peer.id.substr(job_id.size() + 1);
}

// By what the receiver knows of it: all that resending needs.
void AddResend(const BlockKey& key, std::uint64_t input_hash, v1::PushReply* reply) {
  v1::Block* again = reply->add_resend();
  *again = ToWire(key);
  again->set_input_hash(input_hash);
}

}  // namespace

grpc::ServerBidiReactor<v1::PushRequest, v1::PushReply>* BlockService::Push(grpc::CallbackServerContext* context) {
  const auto runner = CheckPeer(*context, identity_, job_id_);
  if (!runner.ok()) {
    log::Warn("peer refused", {{"peer", context->peer()}, {"why", Message(runner.status())}});
    auto refused = PushStream::Make({});
    refused->Close(ToGrpc(runner.status()));
    return refused->reactor();
  }
  const auto self = std::make_shared<std::weak_ptr<PushStream>>();
  auto stream = PushStream::Make({
      .on_message =
          [this, self](v1::PushRequest request, std::function<void()> next) {
            const auto pusher = self->lock();
            if (!pusher) return;
            auto reply = Take(std::move(request));
            if (!reply.ok()) {
              pusher->Close(ToGrpc(reply.status()));  // it pushes again, in a moment: that is the back-pressure
              return;
            }
            if (reply->resend_size() > 0) pusher->Send(*std::move(reply));
            next();
          },
      .on_closed = nullptr,
  });
  *self = stream;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(pushers_, [](const auto& entry) { return entry.second.expired(); });
    pushers_[*runner] = stream;
  }
  stream->Start();
  return stream->reactor();
}

void BlockService::Ask(const std::string& runner, const std::vector<runner::MadeBlock>& blocks) {
  std::shared_ptr<PushStream> pusher;
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = pushers_.find(runner); it != pushers_.end()) pusher = it->second.lock();
  }
  if (!pusher) return;
  v1::PushReply reply;
  for (const runner::MadeBlock& block : blocks) AddResend(block.key, block.input_hash, &reply);
  pusher->Send(std::move(reply));
}

absl::StatusOr<v1::PushReply> BlockService::Take(v1::PushRequest request) {
  if (request.check() != PushCheck(request)) {
    ++corrupt_;
    return DataLoss("a push of ", request.blocks_size(), " blocks arrived damaged");
  }
  if (request.epoch() < epoch_)
    return FailedPrecondition("blocks of driver epoch ", request.epoch(), "; this runner follows ", epoch_.load());
  v1::PushReply reply;
  for (v1::Block& message : *request.mutable_blocks()) {
    const auto block = FromWire(std::move(message));
    if (const absl::Status status = VerifyBlock(*block); !status.ok()) {
      ++corrupt_;
      log::Warn("damaged block dropped", {{"why", Message(status)}});
      AddResend(block->key, block->input_hash, &reply);
      continue;
    }
    MR_RETURN_IF_ERROR(store_.Put(block, Keep::kNeeded));
    on_block_(request.epoch(), block->key, block->input_hash);
  }
  return reply;
}

}  // namespace millrace
