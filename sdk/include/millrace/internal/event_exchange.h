// The reduce side of an event-time exchange: a root that merges the clocks of its inputs into a watermark, and hands
// on the records and the watermark's moves. The map side is EventWriter in event_operators.h.
//
//   struct MyState : EventState { … tables and timers … };
//   template <class K, class V>
//   class MyReader : public EventExchangeReader<Timed<Out>, MyState> {
//     void OnRecords(EventBlockReader& block) override {
//       while (block.Next()) { K key = Decode<K>(block.in()); V value = Decode<V>(block.in()); … block.time_us() … }
//     }
//     void OnWatermark() override { … timers up to watermark_us() … }
//   };
//
// In a batch the records come first, and are judged by the watermark as the batch before left it: a record is late when
// what it belongs to has been given up by then. Then the watermark moves, once, and OnWatermark does what has become
// due. before_us() is the watermark as the records saw it. A reader is an origin for the operators after it: what it
// gives in later batches has times of watermark_us() or later, except updates of results that were given before. In
// batches in which the reader gives nothing (see Fires) nothing happens.
//
// Views that OnRecords decodes live until OnWatermark has returned. Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "millrace/codec.h"
#include "millrace/internal/event_clock.h"
#include "millrace/internal/event_clocks.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/shuffle_block.h"
#include "millrace/internal/state.h"

namespace millrace::detail {

// The records of a block, after its header.
class EventBlockReader {
 public:
  explicit EventBlockReader(std::string_view records) : block_(records) {}

  // True: the next record's key and value may be read from in().
  bool Next() {
    if (!block_.Next()) return false;
    // Damaged differences may be anything, and must not overflow.
    const auto difference = static_cast<std::uint64_t>(block_.in().Signed());
    time_us_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(time_us_) + difference);
    if (time_us_ > 2 * kMaxEventTimeUs || time_us_ < -2 * kMaxEventTimeUs) ByteReader::Fail("a time is out of range");
    return true;
  }
  std::int64_t time_us() const { return time_us_; }
  ByteReader& in() { return block_.in(); }

 private:
  BlockReader block_;
  std::int64_t time_us_ = 0;
};

// The state of every reader begins with this.
struct EventState : OperatorState {
  explicit EventState(const StateSetup& setup) : OperatorState(setup), clocks(*this, "clocks") {}
  EventClocks clocks;
};

template <class Out, class State>
class EventExchangeReader : public Producer<Out> {
 public:
  explicit EventExchangeReader(const OperatorSetup& setup)
      : Producer<Out>(setup), before_us_(state().clocks.watermark_us()), watermark_us_(before_us_) {}

  void Block(std::string_view data) override {
    this->Enter();
    if (!this->Fires()) return;
    ByteReader in(data);
    state().clocks.Report(EventHeader::Read(in));
    EventBlockReader block(data.substr(data.size() - in.remaining()));
    OnRecords(block);
  }

  void Finish() override {
    this->Enter();
    if (!this->Fires()) return;
    state().clocks.Advance(this->setup().task->batch_time_us);
    watermark_us_ = state().clocks.watermark_us();
    this->setup().shared->Publish({this->setup().description->id, true, watermark_us_, state().clocks.idle_at_us()});
    OnWatermark();
    this->out_.Flush();
    if (late_ != 0) this->setup().output->Count(this->setup().description->id, "late_records", late_);
  }

 protected:
  virtual void OnRecords(EventBlockReader& block) = 0;
  virtual void OnWatermark() = 0;

  State& state() const { return this->template StateAs<State>(); }
  std::int64_t before_us() const { return before_us_; }
  std::int64_t watermark_us() const { return watermark_us_; }
  void CountLate() { ++late_; }

 private:
  const std::int64_t before_us_;
  std::int64_t watermark_us_;
  std::uint64_t late_ = 0;
};

}  // namespace millrace::detail
