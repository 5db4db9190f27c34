// A keyed process: an operator with any number of named states for each key, and timers. Written as a class, used as
// pairs.Process<Class>().
//
//   class Limiter : public millrace::KeyedProcess<std::string, Click, Alert> {
//    public:
//     explicit Limiter(std::uint64_t limit) : limit_(limit) {}
//     void OnRecord(Context& ctx, const std::string& user, const Click& click, Emit& emit) {
//       if (!count_.Exists()) ctx.SetTimer(ctx.time() + std::chrono::minutes(1));
//       count_.Change([](std::uint64_t& n) { ++n; });
//       if (count_.Get() == limit_) emit(Alert{user, click.page});
//     }
//     void OnTimer(Context&, const std::string&, Time, Emit&) { count_.Clear(); }
//
//    private:
//     const std::uint64_t limit_;
//     ValueState<std::uint64_t> count_{*this, "count"};
//   };
//   clicks.Process<Limiter>({.partitions = 8}, 100).Print();
//
// A batch goes like this: timers of its time or before; its records, as they come; timers that became due meanwhile;
// event-time timers that the watermark has reached. So a record never meets a timer that should have gone off already.
// Timers go off by time, then by the encoded key. One object serves all keys of a partition, on one thread at a time,
// for as long as the partition stays where it is: what shall survive belongs in a state, never in a plain member.
// Errors: std::logic_error for states and timers used where there is no key; what the process throws fails the attempt.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <utility>

#include "millrace/batch_context.h"
#include "millrace/emitter.h"
#include "millrace/internal/keyed_core.h"
#include "millrace/keyed_list.h"
#include "millrace/keyed_map.h"
#include "millrace/keyed_value.h"

namespace millrace {

struct ProcessOptions {
  std::optional<std::int64_t> partitions = std::nullopt;  // left out: the job's default
  std::source_location where = std::source_location::current();
};

namespace detail {
template <class P>
class ProcessRun;
}  // namespace detail

// What a process is told beside its record, and its timers. Valid during the call.
template <class Key>
class KeyedContext {
 public:
  using Time = std::chrono::sys_time<std::chrono::microseconds>;

  KeyedContext(const KeyedContext&) = delete;
  KeyedContext& operator=(const KeyedContext&) = delete;

  const Key& key() const { return core_.key(); }
  // The time of the batch, not of the call: the same when the batch is computed again.
  Time time() const { return batch_.time; }
  const BatchContext& batch() const { return batch_; }
  // When the record happened, in a stream of event time; nothing in OnTimer and in other streams.
  std::optional<Time> timestamp() const { return timestamp_; }
  // How far event time has come: in OnEventTimer with this batch, before with the last one. No record of a later batch
  // is older. Without event time: the smallest Time there is.
  Time watermark() const { return Time(std::chrono::microseconds(watermark_us_)); }

  // OnTimer is called for this key in the first batch whose time is at least `time`. A key has at most one timer of a
  // time: setting it again does nothing.
  void SetTimer(Time time) {
    const std::int64_t time_us = Check("SetTimer", "OnTimer", has_timers_, time);
    core_.timers.Set(time_us, core_.hash(), core_.key());
  }
  void DeleteTimer(Time time) { core_.timers.Erase(time.time_since_epoch().count(), Hash(), core_.key()); }

  // OnEventTimer is called for this key in the first batch after whose records the watermark is at least `time`: all
  // that is older has come.
  void SetEventTimer(Time time) {
    const std::int64_t time_us = Check("SetEventTimer", "OnEventTimer", has_event_timers_, time);
    core_.event_timers.Set(time_us, core_.hash(), core_.key());
  }
  void DeleteEventTimer(Time time) { core_.event_timers.Erase(time.time_since_epoch().count(), Hash(), core_.key()); }

 private:
  template <class P>
  friend class detail::ProcessRun;

  KeyedContext(detail::ProcessCore<Key>& core, BatchContext batch, bool has_timers, bool has_event_timers)
      : core_(core), batch_(std::move(batch)), has_timers_(has_timers), has_event_timers_(has_event_timers) {}

  std::uint64_t Hash() const {
    core_.key();
    return core_.hash();
  }

  // A timer that sets itself again for the same time would go off for ever.
  std::int64_t Check(const char* call, const char* callback, bool has_callback, Time time) const {
    core_.key();
    if (!has_callback) {
      throw std::logic_error(detail::Cat("ctx.", call, ": the process has no ", callback,
                                         "(Context&, const Key&, Time, Emit&) that could be called; add one"));
    }
    const std::int64_t time_us = time.time_since_epoch().count();
    if (firing_ == callback && time_us <= firing_us_) {
      throw std::logic_error(detail::Cat("ctx.", call, " in ", callback,
                                         ": the new timer is not later than the one that goes off now, and would do "
                                         "so again at once; set a later one"));
    }
    return time_us;
  }

  detail::ProcessCore<Key>& core_;
  const BatchContext batch_;
  const bool has_timers_;
  const bool has_event_timers_;
  std::optional<Time> timestamp_;
  std::int64_t watermark_us_ = INT64_MIN;
  std::string_view firing_;  // the callback that runs now, if it is one of a timer
  std::int64_t firing_us_ = 0;
};

// `K` and `In`: key and value of the stream, in owned form (std::string for std::string_view); In may also be
// std::string_view. `Out`: what is emitted.
template <class K, class In, class Out>
class KeyedProcess : public detail::ProcessBase<K> {
 public:
  using Key = K;
  using Record = In;
  using Output = Out;
  using Context = KeyedContext<K>;
  using Time = typename Context::Time;
  using Emit = Emitter<Out>;

  template <class T>
  using ValueState = KeyedValue<K, T>;
  template <class T>
  using ListState = KeyedList<K, T>;
  template <class MapKey, class T>
  using MapState = KeyedMap<K, MapKey, T>;
  template <class T>
  using ReducingState = KeyedReduction<K, T>;

 protected:
  ~KeyedProcess() = default;
};

}  // namespace millrace
