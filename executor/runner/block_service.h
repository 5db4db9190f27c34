// Takes the blocks that peers push: checks them, stores them, tells the core. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/block/block.h"
#include "common/net/stream.h"
#include "common/net/tls.h"
#include "executor/blocks/block_store.h"
#include "executor/runner/core/events.h"
#include "millrace/v1/block.grpc.pb.h"

namespace millrace {

class BlockService final : public v1::Blocks::CallbackService {
 public:
  using OnBlock = std::function<void(std::uint64_t epoch, BlockKey key, std::uint64_t input_hash)>;  // on a gRPC thread

  // All outlive the server.
  BlockService(const TlsIdentity& identity, std::string job_id, BlockStore& store, OnBlock on_block)
      : identity_(identity), job_id_(std::move(job_id)), store_(store), on_block_(std::move(on_block)) {}

  grpc::ServerBidiReactor<v1::PushRequest, v1::PushReply>* Push(grpc::CallbackServerContext* context) override;

  // Asks the peer to push these again. Nothing happens when it has no stream to us: it pushes everything on the next.
  void Ask(const std::string& runner, const std::vector<runner::MadeBlock>& blocks);

  void NoteEpoch(std::uint64_t epoch) { epoch_ = epoch; }
  std::uint64_t corrupt() const { return corrupt_; }

 private:
  using PushStream = ServerStream<v1::PushRequest, v1::PushReply>;

  // The blocks that arrived damaged; an error when there is no room for one.
  absl::StatusOr<v1::PushReply> Take(v1::PushRequest request);

  const TlsIdentity& identity_;
  const std::string job_id_;
  BlockStore& store_;
  const OnBlock on_block_;
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::uint64_t> corrupt_{0};
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<PushStream>> pushers_;  // by runner, its newest stream; guarded by mutex_
};

}  // namespace millrace
