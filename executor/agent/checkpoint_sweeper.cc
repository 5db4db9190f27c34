#include "executor/agent/checkpoint_sweeper.h"

#include <utility>

#include "common/log.h"
#include "executor/state/checkpoint_sweep.h"

namespace millrace {

CheckpointSweeper::CheckpointSweeper(CheckpointPlace place, Answer answer)
    : place_(std::move(place)), answer_(std::move(answer)) {}

CheckpointSweeper::~CheckpointSweeper() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void CheckpointSweeper::Sweep(v1::SweepCheckpoints request) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(request));
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  changed_.notify_all();
}

void CheckpointSweeper::Run() {
  while (true) {
    v1::SweepCheckpoints request;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
      if (ended_) return;
      request = std::move(waiting_.front());
      waiting_.pop_front();
    }
    answer_(Carry(request));
  }
}

v1::CheckpointsSwept CheckpointSweeper::Carry(const v1::SweepCheckpoints& request) const {
  const auto sweep = [&]() -> absl::StatusOr<SweepResult> {
    MR_ASSIGN_OR_RETURN(const std::shared_ptr<CheckpointStore> store, OpenCheckpointStore(place_));
    return SweepCheckpoints(
        *store, {request.job_id(), request.through_batch(), {request.keep().begin(), request.keep().end()}});
  };
  v1::CheckpointsSwept swept;
  swept.set_request(request.request());
  const absl::StatusOr<SweepResult> result = sweep();
  if (result.ok()) {
    swept.set_files(result->files);
    swept.set_bytes(result->bytes);
  } else {
    log::Warn("files of checkpoints not deleted", {{"job", request.job_id()}, {"error", Message(result.status())}});
    swept.set_error(Message(result.status()));
  }
  return swept;
}

}  // namespace millrace
