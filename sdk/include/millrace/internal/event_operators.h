// The narrow side of event time: the operator that assigns timestamps, and the writer at the end of a map stage whose
// blocks carry the clocks of its stream's origins. Threads and errors: see operator.h.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/bad_record_operator.h"
#include "millrace/internal/event_clock.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/shuffle_block.h"
#include "millrace/internal/text.h"
#include "millrace/timed.h"

namespace millrace::detail {

// What a timestamp function may give.
template <class Result>
inline constexpr bool kIsTimestamp = std::is_integral_v<Result> && !std::is_same_v<Result, bool>;
template <class Duration>
inline constexpr bool kIsTimestamp<std::chrono::sys_time<Duration>> = true;

template <class Result>
std::int64_t TimestampUs(const Result& time) {
  if constexpr (std::is_integral_v<Result>) {
    return static_cast<std::int64_t>(time);
  } else {
    return std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()).count();
  }
}

template <class T, class F>
class TimestampOperator : public RecordOperator<T, Timed<T>> {
 public:
  TimestampOperator(const OperatorSetup& setup, const F& f, std::int64_t out_of_orderness_us,
                    std::int64_t idle_after_us)
      : RecordOperator<T, Timed<T>>(setup),
        f_(f),
        out_of_orderness_us_(out_of_orderness_us),
        idle_after_us_(idle_after_us) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    const auto assign = [this](const T& record) {
      const std::int64_t time_us = TimestampUs(std::invoke(f_, record));
      if (time_us > kMaxEventTimeUs || time_us < -kMaxEventTimeUs) TooFar(time_us);
      this->out_.Add(Timed<T>{record, time_us});
      latest_us_ = std::max(latest_us_, time_us);
    };
    if (this->tolerant()) [[unlikely]]
      return this->PushEach(chunk, assign);
    for (const T& record : chunk) assign(record);
    this->out_.Flush();
  }

  void Finish() override {
    EventClock clock;
    clock.origin = this->setup().description->id;
    clock.active = latest_us_ != kNoWatermark;
    if (clock.active) clock.watermark_us = latest_us_ - out_of_orderness_us_;
    if (idle_after_us_ != 0) clock.idle_at_us = this->setup().task->batch_time_us + idle_after_us_;
    this->setup().shared->Publish(clock);
  }

 private:
  [[noreturn]] void TooFar(std::int64_t time_us) const {
    const engine::OperatorDescription& op = *this->setup().description;
    throw std::out_of_range(Cat(op.name, " at ", op.location, ": the timestamp ", time_us,
                                " is more than 36000 years from the Unix epoch; give microseconds since the epoch"));
  }

  const F& f_;
  const std::int64_t out_of_orderness_us_;
  const std::int64_t idle_after_us_;  // 0: never
  std::int64_t latest_us_ = kNoWatermark;
};

// The blocks of one task for an event-time exchange: header, number of records, records. Times are written as
// differences: those of neighbours are close.
class EventBlocks {
 public:
  explicit EventBlocks(std::uint32_t partitions) : blocks_(partitions) {}

  template <class K, class V>
  void Add(std::uint32_t partition, const K& key, const V& value, std::int64_t time_us) {
    Block& block = blocks_[partition];
    ++block.records;
    ByteWriter out(block.bytes);
    out.Signed(time_us - block.time_us);
    Encode(key, out);
    Encode(value, out);
    block.time_us = time_us;
  }

  // Gives every block away, the empty ones too.
  void Give(const EventHeader& header, std::uint32_t shuffle, engine::TaskOutput& output) {
    for (std::uint32_t p = 0; p < blocks_.size(); ++p) {
      Block& block = blocks_[p];
      std::string data;
      ByteWriter out(data);
      header.Write(out);
      out.Varint(block.records);
      out.Bytes(block.bytes);
      block.bytes = {};
      output.Block(shuffle, p, std::move(data), block.records);
    }
  }

 private:
  struct Block {
    std::uint64_t records = 0;
    std::int64_t time_us = 0;  // of the last record
    std::string bytes;
  };
  std::vector<Block> blocks_;
};

// `origins`: the operators whose clocks its stream goes by. Those that are not in this task are in other map stages.
template <class K, class V>
class EventWriter : public Consumer<Timed<std::pair<K, V>>> {
  using Record = Timed<std::pair<K, V>>;

 public:
  EventWriter(const OperatorSetup& setup, const std::vector<std::uint32_t>& origins)
      : Consumer<Record>(setup), origins_(origins), blocks_(setup.description->partitions) {}

  void Push(std::span<const Record> chunk) override {
    this->Enter();
    for (const Record& record : chunk) {
      const auto& [key, value] = record.value;
      blocks_.Add(PartitionOf(HashOf(key), *this->setup().description), key, value, record.time_us);
    }
  }

  void Finish() override {
    EventHeader header;
    header.stage = this->setup().task->stage;
    header.partition = this->setup().task->partition;
    for (const EventClock& clock : this->setup().shared->clocks) {
      if (std::find(origins_.begin(), origins_.end(), clock.origin) != origins_.end()) header.clocks.push_back(clock);
    }
    blocks_.Give(header, this->setup().description->id, *this->setup().output);
  }

 private:
  const std::vector<std::uint32_t> origins_;
  EventBlocks blocks_;
};

}  // namespace millrace::detail
