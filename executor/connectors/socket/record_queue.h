// Records between the thread that receives them and the batches that take them. Holds a bounded amount; beyond it Push
// waits, and so the sender.
//
// Thread-safe.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "executor/connectors/socket/record_block.h"

namespace millrace::sockets {

class RecordQueue {
 public:
  static constexpr std::size_t kMaxHeldBytes = std::size_t{32} << 20;

  void Push(std::shared_ptr<const RecordBlock> block) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_bytes_ < kMaxHeldBytes || open_ended_; });
    held_bytes_ += block->memory();
    const std::size_t count = block->records.size();
    held_.push_back({std::move(block), 0, count});
  }
  // At most `limit` of the records held now (0: all of them), oldest first.
  std::vector<RecordSlice> Take(std::uint64_t limit) {
    std::vector<RecordSlice> taken;
    {
      const std::lock_guard lock(mutex_);
      std::uint64_t left = limit == 0 ? ~0ULL : limit;
      while (left > 0 && !held_.empty()) {
        RecordSlice& front = held_.front();
        const std::size_t n = std::min<std::uint64_t>(left, front.count);
        taken.push_back({front.block, front.first, n});
        front.first += n;
        front.count -= n;
        left -= n;
        if (front.count > 0) break;
        held_bytes_ -= front.block->memory();
        held_.pop_front();
      }
    }
    changed_.notify_all();
    return taken;
  }
  // From here Push waits no more: the little that is on its way when receiving ends is taken in.
  void TakeInRest() {
    {
      const std::lock_guard lock(mutex_);
      open_ended_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RecordSlice> held_;
  std::size_t held_bytes_ = 0;
  bool open_ended_ = false;
};

}  // namespace millrace::sockets
