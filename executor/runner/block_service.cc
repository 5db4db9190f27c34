#include "executor/runner/block_service.h"

#include "common/block/block_wire.h"
#include "common/log.h"
#include "common/net/grpc_status.h"
#include "common/net/stream.h"
#include "common/status.h"

namespace millrace {
namespace {

using PushStream = ServerStream<v1::PushRequest, v1::PushReply>;

absl::Status CheckPeer(const grpc::CallbackServerContext& context, const TlsIdentity& self, const std::string& job_id) {
  MR_RETURN_IF_ERROR(RequireRole(context, self, {"runner"}, "Blocks/Push"));
  MR_ASSIGN_OR_RETURN(const PeerName peer, PeerOf(context));
  if (!peer.id.starts_with(job_id + "/")) return PermissionDenied("runner ", peer.id, " is not of job ", job_id);
  return absl::OkStatus();
}

}  // namespace

grpc::ServerBidiReactor<v1::PushRequest, v1::PushReply>* BlockService::Push(grpc::CallbackServerContext* context) {
  if (const absl::Status allowed = CheckPeer(*context, identity_, job_id_); !allowed.ok()) {
    log::Warn("peer refused", {{"peer", context->peer()}, {"why", Message(allowed)}});
    auto refused = PushStream::Make({});
    refused->Close(ToGrpc(allowed));
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
  stream->Start();
  return stream->reactor();
}

absl::StatusOr<v1::PushReply> BlockService::Take(v1::PushRequest request) {
  if (request.epoch() < epoch_)
    return FailedPrecondition("blocks of driver epoch ", request.epoch(), "; this runner follows ", epoch_.load());
  v1::PushReply reply;
  for (v1::Block& message : *request.mutable_blocks()) {
    const auto block = FromWire(std::move(message));
    if (const absl::Status status = VerifyBlock(*block); !status.ok()) {
      ++corrupt_;
      log::Warn("damaged block dropped", {{"why", Message(status)}});
      v1::Block* again = reply.add_resend();
      *again = ToWire(block->key);
      again->set_input_hash(block->input_hash);
      continue;
    }
    MR_RETURN_IF_ERROR(store_.Put(block, Keep::kNeeded));
    on_block_(request.epoch(), block->key, block->input_hash);
  }
  return reply;
}

}  // namespace millrace
