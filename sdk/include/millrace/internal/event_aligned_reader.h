// The root of tumbling and sliding windows by key. What a key has in a slice of time is one accumulator; see
// event_slices.h.
//
// Timers say what is due for a key when the watermark passes. One at a window's end gives the result, and sets the one
// for the next window as long as there are slices for it: a key has one such timer for each run of slices, not one for
// each window. One at a slice's end of life removes it. A record that comes late but is allowed sets timers in the
// past, at the ends of the windows that it changes: so each gives one new result in this batch. Threads and errors: see
// operator.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/event_slices.h"
#include "millrace/internal/event_window_reader.h"
#include "millrace/internal/state_table.h"
#include "millrace/internal/state_timers.h"

namespace millrace::detail {

template <class Key, class Acc>
struct AlignedState : EventState {
  explicit AlignedState(const StateSetup& setup)
      : EventState(setup), chunks(*this, "slices"), timers(*this, "timers") {}
  StateTable<ChunkKey<Key>, SliceChunk<Acc>> chunks;
  StateTimers<Key> timers;
};

template <class K, class Policy>
class AlignedReader : public WindowReader<K, Policy, AlignedState<Owned<K>, typename Policy::Acc>> {
  using Key = Owned<K>;
  using V = typename Policy::Value;
  using Acc = typename Policy::Acc;
  using State = AlignedState<Key, Acc>;
  using Base = WindowReader<K, Policy, State>;
  using BlockKey = typename Base::BlockKey;
  using Chunks = StateTable<ChunkKey<Key>, SliceChunk<Acc>>;

 public:
  AlignedReader(const OperatorSetup& setup, const WindowShape& shape, Policy policy)
      : Base(setup), shape_(shape), policy_(std::move(policy)), before_(Relative(this->before_us())) {}

 protected:
  void OnRecords(EventBlockReader& block) override {
    while (block.Next()) {
      const BlockKey key = Decode<BlockKey>(block.in());
      V value = Decode<V>(block.in());
      const std::int64_t time = block.time_us() - shape_.offset_us;
      if (before_ != kNoWatermark && shape_.Expiry(time) <= before_) {
        this->IsLate(key, std::move(value), block.time_us());
      } else {
        AddRecord(HashOf(key), key, std::move(value), time);
      }
    }
  }

  void OnWatermark() override {
    const std::int64_t now = Relative(this->watermark_us());
    if (now == kNoWatermark) return;
    this->state().timers.PopDue(now, [this](std::int64_t time, std::uint64_t hash, const Key& key) {
      const bool more = shape_.IsEnd(time) && Fire(time, hash, key);
      if (before_ != kNoWatermark && time <= before_) return;  // an update of a result
      if (more) SetTimer(time + shape_.slide_us, hash, key);
      const std::int64_t start = time - shape_.lateness_us - shape_.size_us;
      if (FloorTo(start, shape_.slide_us) == start) Forget(start, hash, key);
    });
  }

 private:
  std::int64_t Relative(std::int64_t watermark_us) const {
    return watermark_us == kNoWatermark ? kNoWatermark : watermark_us - shape_.offset_us;
  }
  void SetTimer(std::int64_t time, std::uint64_t hash, const Key& key) { this->state().timers.Set(time, hash, key); }

  typename Chunks::Entry* FindChunk(std::int64_t start, std::uint64_t hash, const Key& key) {
    return this->state().chunks.Find(ChunkHash(hash, start), ChunkKeyRef<Key>{key, start});
  }

  void AddRecord(std::uint64_t hash, const BlockKey& key, V value, std::int64_t time) {
    const std::int64_t slice = FloorTo(time, shape_.slice_us);
    const std::int64_t chunk = FloorTo(slice, shape_.chunk_us);
    Chunks& chunks = this->state().chunks;
    auto& entry =
        chunks.FindOrAdd(ChunkHash(hash, chunk), ChunkKeyRef<BlockKey>{key, chunk}, [] { return SliceChunk<Acc>(); });
    chunks.Changed(entry);
    entry.value.total.reset();
    const auto at = entry.value.LowerBound(slice);
    if (at != entry.value.slices.end() && at->start_us == slice) {
      policy_.Add(at->acc, std::move(value));
    } else {
      entry.value.slices.insert(at, {slice, policy_.Start(std::move(value))});
      BeginSlice(slice, hash, entry.key.key);
    }
    if (before_ != kNoWatermark) Update(slice, hash, entry.key.key);
  }

  void BeginSlice(std::int64_t slice, std::uint64_t hash, const Key& key) {
    const std::int64_t after = before_ == kNoWatermark ? slice : std::max(slice, before_);
    const std::int64_t first = shape_.EndAfter(after);
    if (first <= shape_.LastEnd(slice)) SetTimer(first, hash, key);
    if (shape_.lateness_us > 0) SetTimer(shape_.Expiry(slice), hash, key);
  }

  // The windows that have given their results and are still allowed to change.
  void Update(std::int64_t slice, std::uint64_t hash, const Key& key) {
    const std::int64_t last = std::min(before_, shape_.LastEnd(slice));
    const std::int64_t first = shape_.EndAfter(std::max(slice, before_ - shape_.lateness_us));
    for (std::int64_t end = first; end <= last; end += shape_.slide_us) SetTimer(end, hash, key);
  }

  // Gives the result of the window that ends at `end`, if it has any records. True: the next window has some of them.
  bool Fire(std::int64_t end, std::uint64_t hash, const Key& key) {
    const std::int64_t start = end - shape_.size_us;
    std::optional<Acc> acc;
    const auto merge = [&](const Acc& more) {
      if (acc) {
        policy_.Merge(*acc, more);
      } else {
        acc.emplace(more);
      }
    };
    std::int64_t newest = INT64_MIN;
    for (std::int64_t at = FloorTo(start, shape_.chunk_us); at < end; at += shape_.chunk_us) {
      auto* entry = FindChunk(at, hash, key);
      if (entry == nullptr) continue;
      if (at >= start && at + shape_.chunk_us <= end) {
        merge(TotalOf(entry->value));
        newest = entry->value.slices.back().start_us;
        continue;
      }
      for (const Slice<Acc>& slice : entry->value.slices) {
        if (slice.start_us < start || slice.start_us >= end) continue;
        merge(slice.acc);
        newest = slice.start_us;
      }
    }
    if (!acc) return false;
    this->Emit(key, start + shape_.offset_us, end + shape_.offset_us, policy_.ResultOf(std::move(*acc)));
    return newest >= start + shape_.slide_us;
  }

  const Acc& TotalOf(SliceChunk<Acc>& chunk) {
    if (chunk.slices.size() == 1) return chunk.slices.front().acc;
    if (!chunk.total) {
      Acc total = chunk.slices.front().acc;
      for (auto slice = chunk.slices.begin() + 1; slice != chunk.slices.end(); ++slice)
        policy_.Merge(total, slice->acc);
      chunk.total.emplace(std::move(total));
    }
    return *chunk.total;
  }

  // Removes the slices of the window that begins at `start` and of no later one.
  void Forget(std::int64_t start, std::uint64_t hash, const Key& key) {
    const std::int64_t end = start + shape_.slide_us;
    for (std::int64_t at = FloorTo(start, shape_.chunk_us); at < end; at += shape_.chunk_us) {
      auto* entry = FindChunk(at, hash, key);
      if (entry == nullptr) continue;
      SliceChunk<Acc>& chunk = entry->value;
      const std::size_t removed =
          std::erase_if(chunk.slices, [&](const auto& one) { return one.start_us >= start && one.start_us < end; });
      if (removed == 0) continue;
      chunk.total.reset();
      if (chunk.slices.empty()) {
        this->state().chunks.Erase(*entry);
      } else {
        this->state().chunks.Changed(*entry);
      }
    }
  }

  const WindowShape shape_;
  const Policy policy_;
  const std::int64_t before_;  // the watermark as the records see it, relative to the offset
};

}  // namespace millrace::detail
