#include "executor/connectors/kafka/fetch/partition_feed.h"

#include <utility>

namespace millrace::kafka {
namespace {

bool BeginsBelow(const RecordSlice& slice, std::int64_t offset) {
  if (slice.next_offset <= offset) return true;
  if (slice.base_offset >= offset) return false;
  engine::SourceRecord record;
  RecordWalker walker(slice);
  return walker.Next(record, nullptr) && record.position < offset;
}

}  // namespace

void PartitionFeed::MoveTo(std::int64_t offset) {
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
    moved_ = true;
    offset_ = offset;
    held_.clear();
    held_bytes_ = 0;
    failure_ = absl::OkStatus();
    out_of_range_ = false;
  }
  on_room_();
}

PartitionFeed::Taken PartitionFeed::Take(std::uint64_t limit, std::int64_t below) {
  Taken taken;
  bool room = false;
  {
    const std::lock_guard lock(mutex_);
    const bool was_full = held_bytes_ >= capacity_;
    while (!held_.empty() && taken.records < limit && BeginsBelow(held_.front(), below)) {
      RecordSlice slice = std::move(held_.front());
      held_.pop_front();
      held_bytes_ -= slice.bytes.size();
      const auto keep = [&](std::pair<RecordSlice, RecordSlice> cut) {
        slice = std::move(cut.first);
        if (cut.second.records == 0) return;
        held_bytes_ += cut.second.bytes.size();
        held_.push_front(std::move(cut.second));
      };
      if (slice.next_offset > below) keep(CutBefore(slice, below));
      if (slice.records > limit - taken.records)
        keep(CutAfter(slice, static_cast<std::uint32_t>(limit - taken.records)));
      taken.records += slice.records;
      taken.next = slice.next_offset;
      taken.slices.push_back(std::move(slice));
    }
    taken.done = held_.empty() ? offset_ >= below : !BeginsBelow(held_.front(), below);
    taken.failure = failure_;
    taken.out_of_range = out_of_range_;
    room = was_full && held_bytes_ < capacity_;
  }
  if (room) on_room_();
  return taken;
}

bool PartitionFeed::Await(std::int64_t below, std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [&] { return !held_.empty() || offset_ >= below || !failure_.ok(); });
}

std::optional<PartitionFeed::Want> PartitionFeed::Wanted() const {
  const std::lock_guard lock(mutex_);
  if (!moved_ || held_bytes_ >= capacity_ || !failure_.ok()) return std::nullopt;
  return Want{offset_, generation_};
}

void PartitionFeed::Deliver(std::uint64_t generation, RecordSet set) {
  {
    const std::lock_guard lock(mutex_);
    if (generation != generation_) return;
    offset_ = set.next;
    for (RecordSlice& slice : set.slices) {
      held_bytes_ += slice.bytes.size();
      held_.push_back(std::move(slice));
    }
    if (!set.error.ok()) failure_ = std::move(set.error);
  }
  changed_.notify_all();
}

void PartitionFeed::Fail(std::uint64_t generation, absl::Status why, bool out_of_range) {
  {
    const std::lock_guard lock(mutex_);
    if (generation != generation_) return;
    failure_ = std::move(why);
    out_of_range_ = out_of_range;
  }
  changed_.notify_all();
}

}  // namespace millrace::kafka
