// Carries out what the driver asks about files of checkpoints, one request after the other, on a thread of its own: the
// store may be slow, or away.
//
// Thread rule: Sweep from any thread; `answer` runs on the sweeper's thread. The destructor waits for the request under
// way and drops the others.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "executor/state/open_checkpoint_store.h"
#include "millrace/v1/cluster.pb.h"

namespace millrace {

class CheckpointSweeper {
 public:
  using Answer = std::function<void(v1::CheckpointsSwept)>;

  CheckpointSweeper(CheckpointPlace place, Answer answer);
  ~CheckpointSweeper();

  void Sweep(v1::SweepCheckpoints request);

 private:
  void Run();
  v1::CheckpointsSwept Carry(const v1::SweepCheckpoints& request) const;

  const CheckpointPlace place_;
  const Answer answer_;
  std::mutex mutex_;  // guards the next three
  std::condition_variable changed_;
  std::deque<v1::SweepCheckpoints> waiting_;
  bool ended_ = false;
  std::thread thread_;  // begun with the first request
};

}  // namespace millrace
