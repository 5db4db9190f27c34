// Functions of a record as functions of a Timed record, and the checks of what windows and joins are given. Nothing
// here runs on its own. Errors: std::invalid_argument with operator, place, reason and remedy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "millrace/emitter.h"
#include "millrace/internal/event_clock.h"
#include "millrace/internal/event_join_reader.h"
#include "millrace/internal/graph.h"
#include "millrace/internal/text.h"
#include "millrace/timed.h"

namespace millrace::detail {

// Key and value of a pair type; for other types something harmless, so that the error is the static_assert's alone.
template <class T>
struct EventPairTypes {
  using K = int;
  using V = int;
};
template <class A, class B>
struct EventPairTypes<std::pair<A, B>> {
  using K = A;
  using V = B;
};

template <class T, class Out, class F>
struct MapTimed {
  F f;
  Timed<Out> operator()(const Timed<T>& record) const {
    return Timed<Out>{std::invoke(f, record.value), record.time_us};
  }
};

template <class T, class F>
struct FilterTimed {
  F f;
  bool operator()(const Timed<T>& record) const { return std::invoke(f, record.value); }
};

template <class T, class Out, class F>
struct FlatMapTimed {
  F f;
  template <class Emit>
  void operator()(const Timed<T>& record, Emit& emit) const {
    if constexpr (std::is_invocable_v<const F&, const T&, Emitter<Out>&>) {
      const auto emit_value = [&](auto&& value) {
        static_assert(std::is_constructible_v<Out, decltype(value)>,
                      "what is emitted is not of the output's type: name it, as in FlatMap<Type>(...)");
        emit(Timed<Out>{Out(std::forward<decltype(value)>(value)), record.time_us});
      };
      std::invoke(f, record.value, emit_value);
    } else {
      for (auto&& value : std::invoke(f, record.value)) emit(Timed<Out>{Out(value), record.time_us});
    }
  }
};

// Marks a value of type X as one of the left (0) or right (1) stream.
template <class K, class X, class V, class W, std::size_t kSide>
struct ToJoinSide {
  std::pair<K, JoinSide<V, W>> operator()(const std::pair<K, X>& record) const {
    return {record.first, JoinSide<V, W>{std::variant<V, W>(std::in_place_index<kSide>, record.second)}};
  }
};

inline void CheckEventSpan(std::string_view name, const std::source_location& where, std::string_view what,
                           std::int64_t us, std::int64_t least) {
  if (us >= least && us <= kMaxEventSpanUs) return;
  Refuse(name, LocationOf(where),
         Cat("its ", what, " of ", us, " us is not possible; pass ", least, " us to 1000 years"));
}

inline void CheckInterval(std::int64_t lower_us, std::int64_t upper_us, const std::source_location& where) {
  CheckEventSpan("IntervalJoin", where, "lower bound", lower_us, -kMaxEventSpanUs);
  CheckEventSpan("IntervalJoin", where, "upper bound", upper_us, -kMaxEventSpanUs);
  if (lower_us <= upper_us) return;
  Refuse("IntervalJoin", LocationOf(where),
         Cat("its lower bound of ", lower_us, " us is above its upper bound of ", upper_us,
             " us, so nothing would match; pass lower <= upper"));
}

}  // namespace millrace::detail
