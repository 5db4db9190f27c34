// MapWithState: the root of its reduce stage, and the state that it keeps. Records are handed to the function one by
// one, as they come; then the keys that have been idle for too long, by the time at which they became so; then, when
// somebody asks for them, all states.
//
// A key has one timer at most. It is not moved with every record: when it goes off too early it is set again. Threads
// and errors: see operator.h.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/codec.h"
#include "millrace/internal/combine_operators.h"
#include "millrace/internal/keyed_batch.h"
#include "millrace/internal/keyed_functions.h"
#include "millrace/internal/keyed_initial.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/shuffle_block.h"
#include "millrace/internal/state_table.h"
#include "millrace/internal/state_timers.h"
#include "millrace/state_spec.h"

namespace millrace {
namespace detail {

template <class S>
struct IdleState {
  explicit IdleState(S s) : state(std::move(s)) {}
  S state;
  std::int64_t touched_us = 0;  // the last batch that had a record of the key
  std::int64_t timer_us = 0;    // when its timer goes off; 0: none
};

}  // namespace detail

template <class S>
struct Codec<detail::IdleState<S>> {
  static void Encode(const detail::IdleState<S>& value, ByteWriter& out) {
    out.Signed(value.touched_us);
    out.Signed(value.timer_us);
    millrace::Encode(value.state, out);
  }
  static detail::IdleState<S> Decode(ByteReader& in) {
    const std::int64_t touched_us = in.Signed();
    const std::int64_t timer_us = in.Signed();
    detail::IdleState<S> value(millrace::Decode<S>(in));
    value.touched_us = touched_us;
    value.timer_us = timer_us;
    return value;
  }
};

namespace detail {

template <class Key, class S>
struct MapState : OperatorState {
  MapState(const StateSetup& setup, InitialState<Key, S> initial_state)
      : OperatorState(setup),
        initial(std::move(initial_state)),
        states(*this, "states"),
        timers(*this, "timers"),
        marks(*this, "begun") {}

  const InitialState<Key, S> initial;
  StateTable<Key, IdleState<S>> states;
  StateTimers<Key> timers;
  StateMarks marks;
};

// What the function's result becomes: itself, or what is in it.
template <class Result>
struct MappedRecord {
  using Type = Owned<Result>;
};
template <class T>
struct MappedRecord<std::optional<T>> {
  using Type = Owned<T>;
};

template <class K, class V, class S, class U, class F>
class MapStateReader : public Producer<U> {
  using Key = Owned<K>;
  using BlockKey = typename InBlock<K>::Type;
  using State = MapState<Key, S>;
  using Entry = typename StateTable<Key, IdleState<S>>::Entry;
  using Snapshot = std::pair<Key, S>;

 public:
  MapStateReader(const OperatorSetup& setup, const F& f, std::int64_t timeout_us)
      : Producer<U>(setup),
        f_(f),
        timeout_us_(timeout_us),
        now_us_(setup.task->batch_time_us),
        batch_(BatchOf(*setup.task)),
        snapshots_(setup) {}

  // The snapshots are its side output.
  void AttachSide(Operator& consumer) override {
    if (dynamic_cast<Consumer<Snapshot>*>(&consumer) == nullptr) return Producer<U>::AttachSide(consumer);
    snapshots_.Attach(consumer);
    gives_snapshots_ = true;
  }

  void Block(std::string_view data) override {
    this->Enter();
    Begin();
    ReadAhead<BlockKey, V>(data, state().states, [this](std::uint64_t hash, const BlockKey& key, V&& value) {
      Visit(hash, key, std::move(value));
    });
    this->out_.Flush();
  }

  void Finish() override {
    this->Enter();
    if (!this->Fires()) return;
    Begin();
    if (timeout_us_ > 0) {
      state().timers.PopDue(now_us_, [this](std::int64_t time_us, std::uint64_t hash, const Key& key) {
        if (Entry* entry = state().states.Find(hash, key)) GoOff(time_us, *entry);
      });
    }
    this->out_.Flush();
    if (!gives_snapshots_) return;
    state().states.ForEach([this](Entry& entry) { snapshots_.Add(entry.key, entry.value.state); });
    snapshots_.Flush();
  }

 private:
  State& state() const { return this->template StateAs<State>(); }

  void Begin() {
    state().marks.BeginOnce(state().initial.get(), [this](const auto& initial) {
      Entry& entry = state().states.FindOrAdd(initial.hash, initial.key, [&] { return IdleState<S>(initial.state); });
      Touched(entry);
    });
  }

  void Visit(std::uint64_t hash, const BlockKey& key, V value) {
    if (Entry* entry = state().states.Find(hash, key)) {
      StateHandle<S> handle(&entry->value.state, false);
      Call(entry->key, std::optional<V>(std::move(value)), handle);
      if (handle.removed_) return Remove(*entry);
      if (handle.updated_) state().states.Changed(*entry);
      Touched(*entry);
    } else {
      const Key owned(ToOwned<BlockKey>(key));
      StateHandle<S> handle(nullptr, false);
      Call(owned, std::optional<V>(std::move(value)), handle);
      if (!handle.updated_ || handle.removed_) return;
      Touched(state().states.FindOrAdd(hash, owned, [&] { return IdleState<S>(std::move(*handle.made_)); }));
    }
  }

  void Touched(Entry& entry) {
    const bool has_timer = entry.value.timer_us != 0;
    if (timeout_us_ == 0 || (has_timer && entry.value.touched_us == now_us_)) return;
    entry.value.touched_us = now_us_;
    if (!has_timer) SetTimer(entry, now_us_ + timeout_us_);
    state().states.Changed(entry);
  }

  void SetTimer(Entry& entry, std::int64_t time_us) {
    entry.value.timer_us = time_us;
    state().timers.Set(time_us, entry.hash, entry.key);
  }

  void Remove(Entry& entry) {
    if (entry.value.timer_us != 0) state().timers.Erase(entry.value.timer_us, entry.hash, entry.key);
    state().states.Erase(entry);
  }

  void GoOff(std::int64_t time_us, Entry& entry) {
    const std::int64_t idle_us = entry.value.touched_us + timeout_us_;
    if (idle_us > time_us) {  // records have come since the timer was set
      SetTimer(entry, idle_us);
      return state().states.Changed(entry);
    }
    StateHandle<S> handle(&entry.value.state, true);
    Call(entry.key, std::nullopt, handle);
    state().states.Erase(entry);
  }

  void Call(const Key& key, std::optional<V> value, StateHandle<S>& handle) {
    auto&& result = CallWithBatch(f_, batch_, key, std::move(value), handle);
    using Result = decltype(result);
    if constexpr (!kIsOptional<std::remove_cvref_t<Result>>) {
      Emit(std::forward<Result>(result));
    } else if (result) {
      Emit(*std::forward<Result>(result));
    }
  }

  template <class Result>
  void Emit(Result&& result) {
    if constexpr (std::is_same_v<std::remove_cvref_t<Result>, U>) {
      this->out_.Add(std::forward<Result>(result));
    } else {
      this->out_.Add(ToOwned<std::remove_cvref_t<Result>>(result));
    }
  }

  const F& f_;
  const std::int64_t timeout_us_;
  const std::int64_t now_us_;
  const BatchContext batch_;
  Outbox<Snapshot> snapshots_;
  bool gives_snapshots_ = false;
};

}  // namespace detail
}  // namespace millrace
