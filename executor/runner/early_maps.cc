#include "executor/runner/early_maps.h"

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

// Long enough to be worth a turn on a worker, short enough not to hold up a task that waits for one.
constexpr std::uint64_t kPieceRecords = 4096;
// A piece with fewer is not worth its turn: the next comes later.
constexpr std::uint64_t kFewRecords = 1024;
constexpr std::int64_t kPauseUs = 5'000;
// Below it pieces would be too small to gain anything.
constexpr std::int64_t kSpanMinUs = 4 * kPauseUs;

}  // namespace

void EarlyMaps::Begin(const runner::CloseRange& range, std::uint64_t epoch, std::uint64_t limit, std::int64_t span_us) {
  Drop(range.split);
  if (limit == 0 || span_us < kSpanMinUs) return;
  auto work = std::make_shared<Work>();
  work->range = range;
  work->epoch = epoch;
  work->limit = limit;
  work->pause_us = kPauseUs;
  work->pause_max_us = std::max(kPauseUs, span_us / 8);
  work->part.end = range.start;
  {
    std::lock_guard lock(mutex_);
    works_[range.split] = work;
  }
  Post(work);
}

EarlyMaps::Part EarlyMaps::Take(const runner::CloseRange& range, std::uint64_t epoch) {
  std::shared_ptr<Work> work;
  {
    std::lock_guard lock(mutex_);
    if (const auto it = works_.find(range.split); it != works_.end()) {
      work = std::move(it->second);
      works_.erase(it);
    }
  }
  if (work) {
    std::lock_guard lock(work->mutex);
    work->over = true;
    if (Same(*work, range, epoch)) return std::move(work->part);
  }
  return {range.start, 0, false, nullptr};
}

bool EarlyMaps::Same(const Work& work, const runner::CloseRange& range, std::uint64_t epoch) {
  const runner::TaskRef& announced = work.range.ref;
  return work.epoch == epoch && announced.task == range.ref.task && announced.batch == range.ref.batch &&
         announced.batch_time_us == range.ref.batch_time_us && announced.version == range.ref.version &&
         work.range.start == range.start && (range.max_records == 0 || work.part.records <= range.max_records);
}

void EarlyMaps::Drop(const SplitKey& split) {
  std::lock_guard lock(mutex_);
  const auto it = works_.find(split);
  if (it == works_.end()) return;
  // Not under its lock: a piece may be under way, and the loop waits for nobody. It is the last one.
  works_.erase(it);
}

void EarlyMaps::Clear() {
  std::lock_guard lock(mutex_);
  works_.clear();
}

void EarlyMaps::Post(const std::shared_ptr<Work>& work) {
  workers_.Post([this, weak = std::weak_ptr<Work>(work)] {
    if (const auto held = weak.lock()) RunPiece(held);
  });
}

void EarlyMaps::RunPiece(const std::shared_ptr<Work>& work) {
  std::int64_t pause = 0;
  {
    std::lock_guard lock(work->mutex);
    if (work->over) return;
    const std::uint64_t taken = MapPiece(*work);
    if (work->over) return;
    if (taken < kPieceRecords) {
      work->pause_us = taken < kFewRecords ? std::min(work->pause_us * 2, work->pause_max_us) : kPauseUs;
      pause = work->pause_us;
    }
  }
  if (pause == 0) return Post(work);
  loop_.PostAt(loop_.now_us() + pause, [this, weak = std::weak_ptr<Work>(work)] {
    if (const auto held = weak.lock()) Post(held);
  });
}

std::uint64_t EarlyMaps::MapPiece(Work& work) {
  Part& part = work.part;
  auto closed = close_(work.range.split, part.end, std::min(kPieceRecords, work.limit - part.records));
  if (!closed.ok()) {  // whoever cuts meets it, too, and knows what to do
    work.over = true;
    return 0;
  }
  if (closed->records > 0) {
    if (!part.run) part.run = new_run_(work.range.ref, work.epoch);
    if (part.run->Feed(*closed->data)) {
      part = {work.range.start, 0, false, nullptr};
      work.over = true;
      return 0;
    }
  }
  part.end = std::move(closed->end);
  part.records += closed->records;
  part.finished = closed->finished;
  work.over = part.finished || part.records >= work.limit;
  return closed->records;
}

}  // namespace millrace
