// The interval join: a record of the left stream at time t goes with those of the same key of the right stream from
// t + lower to t + upper.
//
// Both streams go through one exchange. A record is matched with what is there of the other side, and kept until the
// watermark says that nothing can match it any more; so each pair is found once, by the later of the two to arrive.
// Records older than the watermark are late: they are left out and counted. What is kept lies in buckets of a key and a
// stretch of time, each with one timer. Threads and errors: see operator.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/combine_operators.h"
#include "millrace/internal/event_aggregates.h"
#include "millrace/internal/event_exchange.h"
#include "millrace/internal/event_slices.h"
#include "millrace/internal/state_table.h"
#include "millrace/internal/state_timers.h"
#include "millrace/owned.h"
#include "millrace/timed.h"

namespace millrace {
namespace detail {

// A value of the left or the right stream, on its way to where they meet.
template <class V, class W>
struct JoinSide {
  std::variant<V, W> value;
};

}  // namespace detail

template <class V, class W>
inline constexpr bool kPlainAggregate<detail::JoinSide<V, W>> = false;

template <class V, class W>
struct Codec<detail::JoinSide<V, W>> {
  static void Encode(const detail::JoinSide<V, W>& side, ByteWriter& out) {
    out.Byte(static_cast<std::uint8_t>(side.value.index()));
    if (side.value.index() == 0) {
      millrace::Encode(std::get<0>(side.value), out);
    } else {
      millrace::Encode(std::get<1>(side.value), out);
    }
  }
  static detail::JoinSide<V, W> Decode(ByteReader& in) {
    const std::uint8_t index = in.Byte();
    if (index > 1) ByteReader::Fail("a side of a join is neither left nor right");
    if (index == 0) return {std::variant<V, W>(std::in_place_index<0>, millrace::Decode<V>(in))};
    return {std::variant<V, W>(std::in_place_index<1>, millrace::Decode<W>(in))};
  }
};

namespace detail {

// What is kept of one side.
template <class Key, class V>
struct JoinBuffer {
  JoinBuffer(OperatorState& owner, std::string_view name, std::string_view timers_name)
      : buckets(owner, name), timers(owner, timers_name) {}
  StateTable<ChunkKey<Key>, std::vector<Timed<V>>> buckets;
  StateTimers<Key> timers;
};

template <class Key, class V, class W>
struct IntervalJoinState : EventState {
  explicit IntervalJoinState(const StateSetup& setup)
      : EventState(setup), left(*this, "left", "left timers"), right(*this, "right", "right timers") {}
  JoinBuffer<Key, V> left;
  JoinBuffer<Key, W> right;
};

template <class K, class V, class W>
class IntervalJoinReader : public EventExchangeReader<Timed<std::pair<Owned<K>, std::pair<Owned<V>, Owned<W>>>>,
                                                      IntervalJoinState<Owned<K>, Owned<V>, Owned<W>>> {
  using Key = Owned<K>;
  using Left = Owned<V>;
  using Right = Owned<W>;
  using Pair = std::pair<Key, std::pair<Left, Right>>;
  using State = IntervalJoinState<Key, Left, Right>;
  using Base = EventExchangeReader<Timed<Pair>, State>;
  using BlockKey = typename InBlock<K>::Type;

 public:
  IntervalJoinReader(const OperatorSetup& setup, std::int64_t lower_us, std::int64_t upper_us)
      : Base(setup), lower_us_(lower_us), upper_us_(upper_us), width_us_((upper_us - lower_us) / 2 + 1) {}

 protected:
  void OnRecords(EventBlockReader& block) override {
    while (block.Next()) {
      const BlockKey key = Decode<BlockKey>(block.in());
      JoinSide<V, W> side = Decode<JoinSide<V, W>>(block.in());
      if (this->before_us() != kNoWatermark && block.time_us() < this->before_us()) {
        this->CountLate();
      } else if (side.value.index() == 0) {
        OnLeft(HashOf(key), key, block.time_us(), KeepValue<V>(std::get<0>(std::move(side.value))));
      } else {
        OnRight(HashOf(key), key, block.time_us(), KeepValue<W>(std::get<1>(std::move(side.value))));
      }
    }
  }

  void OnWatermark() override {
    if (this->watermark_us() == kNoWatermark) return;
    Clean(this->state().left, upper_us_);
    Clean(this->state().right, -lower_us_);
  }

 private:
  void OnLeft(std::uint64_t hash, const BlockKey& key, std::int64_t time_us, Left value) {
    Probe(this->state().right, hash, key, time_us + lower_us_, time_us + upper_us_,
          [&](const Timed<Right>& other) { Emit(key, value, other.value, std::max(time_us, other.time_us)); });
    Insert(this->state().left, hash, key, Timed<Left>{std::move(value), time_us}, upper_us_);
  }
  void OnRight(std::uint64_t hash, const BlockKey& key, std::int64_t time_us, Right value) {
    Probe(this->state().left, hash, key, time_us - upper_us_, time_us - lower_us_,
          [&](const Timed<Left>& other) { Emit(key, other.value, value, std::max(time_us, other.time_us)); });
    Insert(this->state().right, hash, key, Timed<Right>{std::move(value), time_us}, -lower_us_);
  }

  void Emit(const BlockKey& key, const Left& left, const Right& right, std::int64_t time_us) {
    this->out_.Add(Timed<Pair>{Pair(ToOwned<BlockKey>(key), std::pair<Left, Right>(left, right)), time_us});
  }

  // Calls f for what is kept from `from_us` to `to_us`, both included.
  template <class Buffer, class F>
  void Probe(Buffer& buffer, std::uint64_t hash, const BlockKey& key, std::int64_t from_us, std::int64_t to_us,
             const F& f) {
    for (std::int64_t at = FloorTo(from_us, width_us_); at <= to_us; at += width_us_) {
      auto* entry = buffer.buckets.Find(ChunkHash(hash, at), ChunkKeyRef<BlockKey>{key, at});
      if (entry == nullptr) continue;
      for (const auto& one : entry->value) {
        if (one.time_us >= from_us && one.time_us <= to_us) f(one);
      }
    }
  }

  // `reach_us`: how much later than the record what matches it can be.
  template <class Buffer, class Record>
  void Insert(Buffer& buffer, std::uint64_t hash, const BlockKey& key, Timed<Record> record, std::int64_t reach_us) {
    if (this->before_us() != kNoWatermark && record.time_us + reach_us < this->before_us()) return;
    const std::int64_t at = FloorTo(record.time_us, width_us_);
    auto& entry = buffer.buckets.FindOrAdd(ChunkHash(hash, at), ChunkKeyRef<BlockKey>{key, at},
                                           [] { return std::vector<Timed<Record>>(); });
    if (entry.value.empty()) buffer.timers.Set(at + width_us_ + reach_us, hash, entry.key.key);
    entry.value.push_back(std::move(record));
    buffer.buckets.Changed(entry);
  }

  template <class Buffer>
  void Clean(Buffer& buffer, std::int64_t reach_us) {
    buffer.timers.PopDue(this->watermark_us(), [&](std::int64_t time_us, std::uint64_t hash, const Key& key) {
      const std::int64_t at = time_us - reach_us - width_us_;
      if (auto* entry = buffer.buckets.Find(ChunkHash(hash, at), ChunkKeyRef<Key>{key, at})) {
        buffer.buckets.Erase(*entry);
      }
    });
  }

  const std::int64_t lower_us_;
  const std::int64_t upper_us_;
  const std::int64_t width_us_;  // of a bucket
};

}  // namespace detail
}  // namespace millrace
