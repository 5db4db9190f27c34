// Process: the root of its reduce stage, and the state that it keeps, in which the user's process object lives.
//
// Threads and errors: see operator.h; <millrace/keyed_process.h> says in which order things happen.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "millrace/codec.h"
#include "millrace/emitter.h"
#include "millrace/hash.h"
#include "millrace/internal/combine_operators.h"
#include "millrace/internal/keyed_batch.h"
#include "millrace/internal/keyed_core.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/shuffle_block.h"
#include "millrace/internal/state.h"
#include "millrace/keyed_process.h"

namespace millrace::detail {

// `Base`: OperatorState, or one with parts of its own.
template <class P, class Base = OperatorState>
struct ProcessState : Base {
  using Key = typename P::Key;

  // `make()` gives a P.
  template <class Make>
  ProcessState(const StateSetup& setup, const Make& make) : Base(setup), core(*this), process(Made(make)) {}

  ProcessCore<Key> core;
  P process;

 private:
  template <class Make>
  P Made(const Make& make) {
    const typename ProcessBase<Key>::Scope scope(core);
    return make();
  }
};

template <class P>
inline constexpr bool kHasOnTimer = requires(P& process, typename P::Context& ctx, const typename P::Key& key,
                                             typename P::Time time, typename P::Emit& emit) {
  process.OnTimer(ctx, key, time, emit);
};
template <class P>
inline constexpr bool kHasOnEventTimer = requires(P& process, typename P::Context& ctx, const typename P::Key& key,
                                                  typename P::Time time, typename P::Emit& emit) {
  process.OnEventTimer(ctx, key, time, emit);
};
template <class P>
inline constexpr bool kHasOnRecord = requires(P& process, typename P::Context& ctx, const typename P::Key& key,
                                              const typename P::Record& record, typename P::Emit& emit) {
  process.OnRecord(ctx, key, record, emit);
};

// A process at work on one batch of a partition.
template <class P>
class ProcessRun {
  using Key = typename P::Key;
  using Time = typename P::Time;

 public:
  ProcessRun(const engine::TaskContext& task, ProcessCore<Key>& core, P& process, Outbox<typename P::Output>& out)
      : now_us_(task.batch_time_us),
        core_(core),
        process_(process),
        context_(core, BatchOf(task), kHasOnTimer<P>, kHasOnEventTimer<P>),
        emit_(out) {}

  // If set, it is called before each callback of a timer, with the callback's name and the timer's time.
  std::function<void(std::string_view callback, std::int64_t time_us)> before_timer;

  // Before the first record; called again, it does nothing. `watermark_us`: as the last batch left it.
  void Begin(std::int64_t watermark_us) {
    if (begun_) return;
    begun_ = true;
    core_.now_us = now_us_;
    context_.watermark_us_ = watermark_us;
    PopTimers();
  }

  void Record(std::uint64_t hash, const Key& key, const typename P::Record& record) {
    core_.Enter(hash, key);
    process_.OnRecord(context_, key, record, emit_);
    core_.Leave();
  }
  void Record(std::uint64_t hash, const Key& key, const typename P::Record& record, std::int64_t time_us) {
    context_.timestamp_ = Time(std::chrono::microseconds(time_us));
    Record(hash, key, record);
    context_.timestamp_.reset();
  }

  // After the last record.
  void End(std::int64_t watermark_us) {
    PopTimers();
    context_.watermark_us_ = watermark_us;
    PopEventTimers();
    core_.Clean();
  }

 private:
  void PopTimers() {
    if constexpr (kHasOnTimer<P>) {
      core_.timers.PopDue(now_us_, [this](std::int64_t time_us, std::uint64_t hash, const Key& key) {
        Fire("OnTimer", time_us, hash, key, [&](Time time) { process_.OnTimer(context_, key, time, emit_); });
      });
    }
  }
  void PopEventTimers() {
    if constexpr (kHasOnEventTimer<P>) {
      if (context_.watermark_us_ == INT64_MIN) return;
      core_.event_timers.PopDue(context_.watermark_us_, [this](std::int64_t time_us, std::uint64_t hash,
                                                               const Key& key) {
        Fire("OnEventTimer", time_us, hash, key, [&](Time time) { process_.OnEventTimer(context_, key, time, emit_); });
      });
    }
  }

  template <class F>
  void Fire(std::string_view callback, std::int64_t time_us, std::uint64_t hash, const Key& key, const F& f) {
    if (before_timer) before_timer(callback, time_us);
    core_.Enter(hash, key);
    context_.firing_ = callback;
    context_.firing_us_ = time_us;
    f(Time(std::chrono::microseconds(time_us)));
    context_.firing_ = {};
    core_.Leave();
  }

  const std::int64_t now_us_;
  ProcessCore<Key>& core_;
  P& process_;
  KeyedContext<Key> context_;
  typename P::Emit emit_;
  bool begun_ = false;
};

template <class P, class K>
class ProcessReader : public Producer<typename P::Output> {
  using BlockKey = typename InBlock<K>::Type;

 public:
  explicit ProcessReader(const OperatorSetup& setup)
      : Producer<typename P::Output>(setup), run_(*setup.task, state().core, state().process, this->out_) {}

  void Block(std::string_view data) override {
    this->Enter();
    run_.Begin(this->setup().shared->watermark_us);
    for (BlockReader block(data); block.Next();) {
      BlockKey block_key = Decode<BlockKey>(block.in());
      const std::uint64_t hash = HashOf(block_key);
      const typename P::Key key = OwnKey<K>(std::move(block_key));
      run_.Record(hash, key, Decode<typename P::Record>(block.in()));
    }
    this->out_.Flush();
  }

  void Finish() override {
    this->Enter();
    if (!this->Fires()) return;
    run_.Begin(this->setup().shared->watermark_us);
    run_.End(this->setup().shared->watermark_us);
    this->out_.Flush();
  }

 private:
  ProcessState<P>& state() const { return this->template StateAs<ProcessState<P>>(); }

  ProcessRun<P> run_;
};

}  // namespace millrace::detail
