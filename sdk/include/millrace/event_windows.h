// Windows of event time by key: which ones there are, and what becomes of the records in them.
//
//   auto counts = clicks.WithTimestamps([](const Click& click) { return click.time_us; },
//                                       {.max_out_of_orderness = 2s, .idle_after = 5s})
//                     .Map([](const Click& click) { return std::pair(click.page, 1L); })
//                     .WindowByKey(Sliding(10min, 1min))
//                     .AllowedLateness(30s)
//                     .Count();                       // EventStream<WindowResult<std::string, std::uint64_t>>
//   counts.Records().Print();
//   counts.LateData().AsDStream().Print();
//
// A window gives its result in the batch in which the watermark reaches its end; the result's time is the window's last
// microsecond. In a batch the records come first, then the watermark moves. A record is late when all its windows were
// given up before the batch: when the watermark had reached end + lateness. It is then left out, counted
// ("late_records") and given to LateData. A record that comes after a window's result, but is not late, changes the
// result: the window gives it again, once a batch. Tumbling and sliding windows keep one value for a slice of time that
// several windows share. A session is the time from its first record to `gap` after the last one; records exactly
// `gap` apart belong together. What is over is removed from the state.
//
// Functions are called as const, on many threads. What comes out of order is also added out of order: functions should
// not depend on it. Errors: std::invalid_argument with operator, place, reason and remedy.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/event_aggregates.h"
#include "millrace/internal/event_aligned_reader.h"
#include "millrace/internal/event_functions.h"
#include "millrace/internal/event_operators.h"
#include "millrace/internal/event_session_reader.h"
#include "millrace/internal/graph.h"
#include "millrace/internal/narrow_operators.h"
#include "millrace/internal/type_name.h"
#include "millrace/owned.h"
#include "millrace/timed.h"

namespace millrace {

template <class T>
class EventStream;

struct AlignedWindows {
  std::chrono::microseconds size;
  std::chrono::microseconds slide;
  std::chrono::microseconds offset;
};
struct SessionWindows {
  std::chrono::microseconds gap;
};

// Each record is in one window of this size. They begin at multiples of it since the Unix epoch, plus `offset`.
constexpr AlignedWindows Tumbling(std::chrono::microseconds size,
                                  std::chrono::microseconds offset = std::chrono::microseconds(0)) {
  return {size, size, offset};
}
// A window of this size begins every `slide`, which is no longer.
constexpr AlignedWindows Sliding(std::chrono::microseconds size, std::chrono::microseconds slide,
                                 std::chrono::microseconds offset = std::chrono::microseconds(0)) {
  return {size, slide, offset};
}
// One window for records of a key that follow each other within `gap`.
constexpr SessionWindows Session(std::chrono::microseconds gap) { return {gap}; }

namespace detail {

inline void CheckWindows(const AlignedWindows& windows, const std::source_location& where) {
  CheckEventSpan("WindowByKey", where, "size", windows.size.count(), 1);
  CheckEventSpan("WindowByKey", where, "slide", windows.slide.count(), 1);
  CheckEventSpan("WindowByKey", where, "offset", windows.offset.count(), -kMaxEventSpanUs);
  if (windows.slide <= windows.size) return;
  Refuse("WindowByKey", LocationOf(where),
         Cat("its slide of ", windows.slide.count(), " us is longer than its size of ", windows.size.count(),
             " us, so records between two windows would be in none; pass a slide of at most the size"));
}
inline void CheckWindows(const SessionWindows& windows, const std::source_location& where) {
  CheckEventSpan("WindowByKey", where, "gap", windows.gap.count(), 1);
}

}  // namespace detail

// What windows give, and their late records.
template <class K, class V, class R>
class WindowedStream : public EventStream<WindowResult<Owned<K>, R>> {
  using Where = std::source_location;

 public:
  using EventStream<WindowResult<Owned<K>, R>>::EventStream;

  const WindowedStream& Uid(std::string_view uid) const {
    this->SetUid(uid);
    return *this;
  }
  const WindowedStream& Name(std::string_view name) const {
    this->SetName(name);
    return *this;
  }

  // The records that came too late for all their windows, as they were.
  EventStream<std::pair<Owned<K>, Owned<V>>> LateData(Where where = Where::current()) const {
    using Late = std::pair<Owned<K>, Owned<V>>;
    detail::Node node = this->template Consume<Timed<Late>>(engine::OperatorKind::kNarrow, "LateData", where);
    node.description.side = true;
    node.make = detail::MakeFactory<detail::UnionOperator<Timed<Late>>>();
    return EventStream<Late>(this->graph(), this->graph()->Add(std::move(node)), this->origins());
  }
};

// Made by EventStream::WindowByKey.
template <class K, class V, class Windows>
class KeyedWindows {
  using Where = std::source_location;
  using Partitions = std::optional<std::int64_t>;

 public:
  KeyedWindows(EventStream<std::pair<K, V>> stream, Windows windows) : stream_(std::move(stream)), windows_(windows) {}

  // How long after its end a window may still change, in event time; 0 unless set.
  KeyedWindows AllowedLateness(std::chrono::microseconds lateness, Where where = Where::current()) const {
    detail::CheckEventSpan("AllowedLateness", where, "lateness", lateness.count(), 0);
    KeyedWindows changed = *this;
    changed.lateness_us_ = lateness.count();
    return changed;
  }

  // The values of a window combined by f(accumulated, value), which gives the new value.
  template <class F>
  WindowedStream<K, V, Owned<V>> Reduce(F f, Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(std::is_invocable_v<const F&, V, const V&>,
                  "Reduce needs a function callable, as const, as f(accumulated, value), which gives the new value");
    return Add("Reduce", detail::ReduceWindow<V, F>{std::make_shared<const F>(std::move(f))}, partitions, where);
  }

  // How many records a window has.
  WindowedStream<K, V, std::uint64_t> Count(Partitions partitions = {}, Where where = Where::current()) const {
    return Add("Count", detail::CountWindow<V>{}, partitions, where);
  }

  // An A for each window: begins as `initial`, becomes add(a, value) with each record, and merge(a, b) where slices or
  // sessions come together.
  template <class A, class AddFunction, class MergeFunction>
  WindowedStream<K, V, A> Aggregate(A initial, AddFunction add, MergeFunction merge, Partitions partitions = {},
                                    Where where = Where::current()) const {
    static_assert(Encodable<A>, "Aggregate needs a millrace::Codec for the accumulator's type; see <millrace/codec.h>");
    static_assert(detail::kCanBeKept<A> && detail::kOwnsItself<A>,
                  "Aggregate keeps an accumulator, and this type holds views");
    static_assert(
        std::is_invocable_r_v<A, const AddFunction&, A, const V&>,
        "Aggregate needs add callable, as const, as add(accumulator, value), which gives the new accumulator");
    static_assert(std::is_invocable_r_v<A, const MergeFunction&, A, const A&>,
                  "Aggregate needs merge callable, as const, as merge(a, b), which gives an accumulator");
    using Policy = detail::AggregateWindow<V, A, AddFunction, MergeFunction>;
    auto functions = std::make_shared<const typename Policy::Functions>(
        typename Policy::Functions{std::move(initial), std::move(add), std::move(merge)});
    return Add("Aggregate", Policy{std::move(functions)}, partitions, where);
  }

  // A vector of all values of a window. They must fit in memory; to reduce them to something small is far cheaper.
  WindowedStream<K, V, std::vector<Owned<V>>> Group(Partitions partitions = {}, Where where = Where::current()) const {
    return Add("Group", detail::GroupWindow<V>{}, partitions, where);
  }

 private:
  template <class Policy>
  WindowedStream<K, V, typename Policy::Result> Add(std::string_view how, Policy policy, Partitions partitions,
                                                    const Where& where) const {
    using Key = Owned<K>;
    using Acc = typename Policy::Acc;
    using Result = WindowResult<Key, typename Policy::Result>;
    detail::Node node =
        stream_.template EventExchange<Timed<Result>>(detail::Cat("WindowByKey.", how), partitions, where);
    std::string kept = detail::Cat(how, " of ", detail::TypeName<Key>(), " to ", detail::TypeName<Acc>(), " in ",
                                   Text(), ", lateness ", lateness_us_, " us");
    if constexpr (std::is_same_v<Windows, SessionWindows>) {
      detail::KeepState<detail::SessionState<Key, Acc>>(node, std::move(kept));
      node.make = detail::MakeFactory<detail::SessionReader<K, Policy>>(windows_.gap.count(), lateness_us_, policy);
    } else {
      detail::KeepState<detail::AlignedState<Key, Acc>>(node, std::move(kept));
      const detail::WindowShape shape(windows_.size.count(), windows_.slide.count(), windows_.offset.count(),
                                      lateness_us_, Policy::kSmall);
      node.make = detail::MakeFactory<detail::AlignedReader<K, Policy>>(shape, policy);
    }
    return stream_.template AddOrigin<WindowedStream<K, V, typename Policy::Result>>(std::move(node));
  }

  std::string Text() const {
    if constexpr (std::is_same_v<Windows, SessionWindows>) {
      return detail::Cat("sessions with gap ", windows_.gap.count(), " us");
    } else {
      return detail::Cat("windows of ", windows_.size.count(), " us every ", windows_.slide.count(), " us from ",
                         windows_.offset.count(), " us");
    }
  }

  EventStream<std::pair<K, V>> stream_;
  Windows windows_;
  std::int64_t lateness_us_ = 0;
};

}  // namespace millrace
