// Process on a stream of event time: the root of its reduce stage. What a process gives has a time: in OnRecord the
// record's, in OnEventTimer the timer's, in OnTimer the watermark, or the batch's time while there is none. Late
// records reach the process like others; it sees ctx.watermark(). Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/combine_operators.h"
#include "millrace/internal/event_exchange.h"
#include "millrace/internal/graph.h"
#include "millrace/internal/keyed_process_reader.h"
#include "millrace/internal/type_name.h"
#include "millrace/timed.h"

namespace millrace::detail {

template <class P>
using EventProcessState = ProcessState<P, EventState>;

// "Process Limiter of std::string: value count of long". Makes a process that is never used, which says what states
// there are, and whether they are right.
template <class Kept, class P, class Make>
std::string DescribeProcess(const Node& node, const Make& make) {
  try {
    const std::string states = Kept({&node.description, 0, 1, nullptr}, make).core.description();
    return Cat("Process ", TypeName<P>(), " of ", TypeName<typename P::Key>(), ": ",
               states.empty() ? "no states" : states);
  } catch (const std::exception& e) {
    Refuse(node.description, Cat(TypeName<P>(), " cannot be made: ", e.what()));
  }
}

template <class P, class K>
class EventProcessReader : public EventExchangeReader<Timed<typename P::Output>, EventProcessState<P>> {
  using Output = typename P::Output;
  using Base = EventExchangeReader<Timed<Output>, EventProcessState<P>>;
  using BlockKey = typename InBlock<K>::Type;

 public:
  explicit EventProcessReader(const OperatorSetup& setup)
      : Base(setup),
        given_(setup),
        stamp_(setup, this->out_),
        run_(*setup.task, this->state().core, this->state().process, given_) {
    given_.Attach(stamp_);
    run_.before_timer = [this](std::string_view callback, std::int64_t time_us) {
      StampFrom(callback == "OnEventTimer" ? time_us : TimerUs());
    };
  }

 protected:
  void OnRecords(EventBlockReader& block) override {
    run_.Begin(this->before_us());
    while (block.Next()) {
      BlockKey block_key = Decode<BlockKey>(block.in());
      const std::uint64_t hash = HashOf(block_key);
      const typename P::Key key = OwnKey<K>(std::move(block_key));
      StampFrom(block.time_us());
      run_.Record(hash, key, Decode<typename P::Record>(block.in()), block.time_us());
    }
    given_.Flush();
  }

  void OnWatermark() override {
    run_.Begin(this->before_us());
    run_.End(this->watermark_us());
    given_.Flush();
  }

 private:
  // Gives what it gets the time that holds now.
  class Stamp : public Consumer<Output> {
   public:
    Stamp(const OperatorSetup& setup, Outbox<Timed<Output>>& out) : Consumer<Output>(setup), out_(out) {}
    void Push(std::span<const Output> chunk) override {
      for (const Output& record : chunk) out_.Add(Timed<Output>{record, time_us});
    }
    std::int64_t time_us = 0;

   private:
    Outbox<Timed<Output>>& out_;
  };

  // What the process gives from here on has this time.
  void StampFrom(std::int64_t time_us) {
    if (time_us == stamp_.time_us) return;
    given_.Flush();
    stamp_.time_us = time_us;
  }
  std::int64_t TimerUs() const {
    return this->before_us() != kNoWatermark ? this->before_us() : this->setup().task->batch_time_us;
  }

  Outbox<Output> given_;
  Stamp stamp_;
  ProcessRun<P> run_;
};

}  // namespace millrace::detail
