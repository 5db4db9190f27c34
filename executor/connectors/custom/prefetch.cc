#include "executor/connectors/custom/prefetch.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "common/log.h"
#include "executor/connectors/custom/guard.h"

namespace millrace::custom {
namespace {

constexpr std::uint64_t kFirstPauseMs = 200;
constexpr std::uint64_t kLastPauseMs = 5'000;

}  // namespace

Prefetch::Prefetch(const ReaderSettings& settings, std::shared_ptr<engine::Source> source, std::string split,
                   std::string_view start)
    : settings_(settings),
      source_(std::move(source)),
      split_(std::move(split)),
      where_(Concat(settings_.where, ", split '", split_, "'")),
      begin_(start),
      end_(start) {}

void Prefetch::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

// ---- the batches' side ----

void Prefetch::GoTo(std::string_view position) {
  const std::lock_guard lock(mutex_);
  if (begin_ == position && held_.empty()) return;
  ++moves_;
  begin_ = end_ = position;
  held_.clear();
  held_records_ = held_bytes_ = 0;
  ended_ = false;
  failed_ = absl::OkStatus();
  problem_.clear();
  changed_.notify_all();
}

absl::StatusOr<Prefetch::Taken> Prefetch::Take(std::string_view start, std::uint64_t most) {
  {
    const std::lock_guard lock(mutex_);
    if (begin_ == start && held_.empty() && !failed_.ok()) return failed_;
  }
  Taken taken;
  taken.end = start;
  std::unique_lock lock(mutex_);
  if (begin_ != start) {
    lock.unlock();
    GoTo(start);
    return taken;
  }
  while (!held_.empty() && taken.records < most) {
    BlockSlice& slice = held_.front();
    const std::size_t n = std::min<std::size_t>(slice.count, most - taken.records);
    taken.slices.push_back({slice.block, slice.first, n});
    taken.records += n;
    taken.end = slice.block->next(slice.first + n - 1);
    slice.first += n;
    slice.count -= n;
    if (slice.count > 0) break;
    held_bytes_ -= slice.block->memory();
    held_.pop_front();
  }
  held_records_ -= taken.records;
  begin_ = taken.end;
  taken.finished = ended_ && held_.empty();
  changed_.notify_all();
  return taken;
}

std::string Prefetch::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

// ---- the thread's side ----

bool Prefetch::Add(std::string_view value, std::string_view next) {
  if (refused_) return false;
  if (next == last_) {
    throw std::logic_error(
        Concat("two records have the same position after them, '", next, "'; every record needs another one"));
  }
  writer_.Add(value, next);
  last_ = next;
  added_ = true;
  refused_ = writer_.full() ? !Publish() : !wanted();
  return !refused_;
}

// False: no more is wanted of this Read.
bool Prefetch::Publish() {
  if (writer_.empty()) return true;
  auto block = writer_.Take();
  const std::lock_guard lock(mutex_);
  if (!wanted()) return false;  // read from where nobody wants it any more
  end_ = last_;
  held_records_ += block->size();
  held_bytes_ += block->memory();
  const std::size_t count = block->size();
  held_.push_back({std::move(block), 0, count});
  return HasRoom();
}

absl::Status Prefetch::ReadOnce(engine::ReadEnd& end) {
  const std::string from = last_;
  return Guarded(where_, Concat("reading from position '", from, "'"), [&] {
    if (!reader_) reader_ = source_->Open(split_);
    end = reader_->ReadInto(*this, from);
  });
}

void Prefetch::Pause(std::unique_lock<std::mutex>& lock, std::uint64_t ms) {
  changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return !wanted(); });
}

void Prefetch::Run() {
  std::uint64_t pause = kFirstPauseMs;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !wanted() || (!ended_ && failed_.ok() && HasRoom()); });
    if (stopping_) return;
    reading_ = moves_;
    last_ = end_;
    added_ = refused_ = false;
    lock.unlock();
    engine::ReadEnd end = engine::ReadEnd::kNothingNow;
    const absl::Status status = ReadOnce(end);
    Publish();
    writer_ = BlockWriter();
    if (!status.ok()) reader_.reset();
    lock.lock();
    if (!wanted()) continue;
    problem_ = Message(status);
    if (absl::IsInvalidArgument(status)) {
      failed_ = status;
    } else if (!status.ok()) {
      log::Warn("a split is not being read", {{"why", problem_}});
      Pause(lock, pause);
      pause = std::min(pause * 2, kLastPauseMs);
    } else {
      pause = kFirstPauseMs;
      // A reader that was told to stop cannot know that it is at its end.
      ended_ = end == engine::ReadEnd::kEnd && !refused_;
      if (!ended_ && !added_) Pause(lock, settings_.poll_ms);
    }
  }
}

}  // namespace millrace::custom
