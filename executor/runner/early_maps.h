// Map work that begins before its batch is cut. A cut that is announced for later names everything about its map tasks
// but where their ranges will end. So what arrives until then is taken and mapped piece by piece, and the cut finds
// most of it done; meanwhile a source need not hold a whole interval's records.
//
// To a reader each piece is a range of its own, closed in the usual way. When the cut that comes is another one than
// was announced, what was done is thrown away, and the reader goes back as it does for any cut that never became a
// plan. User code that throws here ends the work on this split; the task proper then meets the error, and reports it.
//
// Thread rule: Begin, Drop and Clear on the loop's thread; Take on workers, where pieces run too. What is given to the
// constructor outlives the workers and the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "executor/connectors/source.h"
#include "executor/runner/core/events.h"
#include "executor/runner/task_run.h"
#include "executor/runner/worker_pool.h"

namespace millrace {

class EarlyMaps {
 public:
  using Close = std::function<absl::StatusOr<ClosedRange>(const SplitKey& split, std::string_view start,
                                                          std::uint64_t max_records)>;
  using NewRun = std::function<std::shared_ptr<TaskRun>(const runner::TaskRef& ref, std::uint64_t epoch)>;

  // What is done of a range when it is cut.
  struct Part {
    std::string end;  // where the rest begins
    std::uint64_t records = 0;
    bool finished = false;         // there is no rest, and never will be
    std::shared_ptr<TaskRun> run;  // has been fed the records; null when there are none
  };

  EarlyMaps(EventLoop& loop, WorkerPool& workers, Close close, NewRun new_run)
      : loop_(loop), workers_(workers), close_(std::move(close)), new_run_(std::move(new_run)) {}

  // Works on this range, at most `limit` records of it, from now until it is taken. `span_us`: until it will be cut.
  void Begin(const runner::CloseRange& range, std::uint64_t epoch, std::uint64_t limit, std::int64_t span_us);
  // Ends the work on this split, waiting for a piece that is under way. If it was on another range than this one, what
  // is given begins where this one does, and has nothing.
  Part Take(const runner::CloseRange& range, std::uint64_t epoch);
  void Drop(const SplitKey& split);
  void Clear();

 private:
  struct Work {
    runner::CloseRange range;
    std::uint64_t epoch = 0;
    std::uint64_t limit = 0;
    std::int64_t pause_max_us = 0;
    // Guarded by mutex.
    std::mutex mutex;
    bool over = false;
    std::int64_t pause_us = 0;
    Part part;
  };

  void Post(const std::shared_ptr<Work>& work);
  void RunPiece(const std::shared_ptr<Work>& work);
  std::uint64_t MapPiece(Work& work);  // gives how many records it took
  // Whether the work was on this very range, and has not taken too much of it.
  static bool Same(const Work& work, const runner::CloseRange& range, std::uint64_t epoch);

  EventLoop& loop_;
  WorkerPool& workers_;
  const Close close_;
  const NewRun new_run_;
  std::mutex mutex_;
  std::map<SplitKey, std::shared_ptr<Work>> works_;  // guarded by mutex_
};

}  // namespace millrace
