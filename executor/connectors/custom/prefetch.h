// Reads one split of a source in the job's own code ahead of the batches, on a thread of its own, into a bounded
// buffer. So a neighbour that is slow holds up no batch.
//
// The thread shares this with whoever takes from it, and ends by itself soon after Stop: an author's Read that does not
// return must not hold up the runner. Thread rule: Run on its own thread, all else from any. Errors: what is tried
// again is told by problem(); what is not comes from Take once all that was read before is taken.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/custom/record_blocks.h"
#include "millrace/engine_connectors.h"

namespace millrace::custom {

struct ReaderSettings {
  std::string where;  // "source 'readings' (custom) at job.cc:12"
  std::uint64_t poll_ms = 50;
  std::uint64_t max_records = 100'000;  // of a split in a batch
  std::uint64_t prefetch_bytes = 16 << 20;
};

class Prefetch final : private engine::ReadOutput {
 public:
  Prefetch(const ReaderSettings& settings, std::shared_ptr<engine::Source> source, std::string split,
           std::string_view start);

  // For the thread; returns after Stop.
  void Run();
  void Stop();

  struct Taken {
    std::string end;
    std::uint64_t records = 0;
    bool finished = false;
    std::vector<BlockSlice> slices;
  };
  // At most `most` of the records held after `start`. When reading stands elsewhere it goes there first, and nothing is
  // taken.
  absl::StatusOr<Taken> Take(std::string_view start, std::uint64_t most);
  // Reading goes on at this position.
  void GoTo(std::string_view position);
  std::string problem() const;

 private:
  bool Add(std::string_view value, std::string_view next) override;
  bool wanted() const override { return !stopping_ && moves_ == reading_; }
  bool HasRoom() const { return held_records_ < 2 * settings_.max_records && held_bytes_ < settings_.prefetch_bytes; }
  bool Publish();
  absl::Status ReadOnce(engine::ReadEnd& end);
  void Pause(std::unique_lock<std::mutex>& lock, std::uint64_t ms);

  const ReaderSettings settings_;
  const std::shared_ptr<engine::Source> source_;
  const std::string split_;
  const std::string where_;

  // The thread's.
  std::unique_ptr<engine::SplitReader> reader_;
  BlockWriter writer_;
  std::string last_;           // position after the record that was added last
  bool added_ = false;         // by this Read
  bool refused_ = false;       // Add has said that it is enough
  std::uint64_t reading_ = 0;  // moves_ when this Read began

  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> moves_ = 0;  // how often reading was made to go elsewhere

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::string begin_;  // position before the first record held
  std::string end_;    // position after the last
  std::deque<BlockSlice> held_;
  std::uint64_t held_records_ = 0;
  std::uint64_t held_bytes_ = 0;
  bool ended_ = false;  // there is nothing after what is held
  absl::Status failed_;
  std::string problem_;
};

}  // namespace millrace::custom
