// What the values of a key in one window become: policies for the window readers. A policy has types Value (as a block
// holds it), Acc (kept, encodable) and Result, and Start, Add, Merge, ResultOf. Merge(acc, more): `more` is of later
// slices or sessions. User functions live in the graph. Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/internal/combine_operators.h"
#include "millrace/owned.h"

namespace millrace::detail {

template <class V>
Owned<V> KeepValue(V&& value) {
  if constexpr (kOwnsItself<V>) {
    return std::move(value);
  } else {
    return ToOwned<V>(value);
  }
}

template <class V, class F>
struct ReduceWindow {
  using Value = V;
  using Acc = Owned<V>;
  using Result = Acc;
  static constexpr bool kSmall = true;
  std::shared_ptr<const F> f;

  Acc Start(V value) const { return KeepValue<V>(std::move(value)); }
  void Add(Acc& acc, V value) const { Fold<V>(acc, value, *f); }
  void Merge(Acc& acc, const Acc& more) const { Fold<V>(acc, ViewOf<V>(more), *f); }
  static Result ResultOf(Acc acc) { return acc; }
};

template <class V>
struct CountWindow {
  using Value = V;
  using Acc = std::uint64_t;
  using Result = std::uint64_t;
  static constexpr bool kSmall = true;

  static Acc Start(const V&) { return 1; }
  static void Add(Acc& acc, const V&) { ++acc; }
  static void Merge(Acc& acc, Acc more) { acc += more; }
  static Result ResultOf(Acc acc) { return acc; }
};

template <class V>
struct GroupWindow {
  using Value = V;
  using Acc = std::vector<Owned<V>>;
  using Result = Acc;
  static constexpr bool kSmall = false;

  static Acc Start(V value) {
    Acc acc;
    acc.push_back(KeepValue<V>(std::move(value)));
    return acc;
  }
  static void Add(Acc& acc, V value) { acc.push_back(KeepValue<V>(std::move(value))); }
  static void Merge(Acc& acc, const Acc& more) { acc.insert(acc.end(), more.begin(), more.end()); }
  static Result ResultOf(Acc acc) { return acc; }
};

template <class V, class A, class AddFunction, class MergeFunction>
struct AggregateWindow {
  struct Functions {
    A initial;
    AddFunction add;
    MergeFunction merge;
  };
  using Value = V;
  using Acc = A;
  using Result = A;
  static constexpr bool kSmall = true;
  std::shared_ptr<const Functions> functions;

  Acc Start(const V& value) const {
    Acc acc = functions->initial;
    Add(acc, value);
    return acc;
  }
  void Add(Acc& acc, const V& value) const { acc = std::invoke(functions->add, std::move(acc), value); }
  void Merge(Acc& acc, const Acc& more) const { acc = std::invoke(functions->merge, std::move(acc), more); }
  static Result ResultOf(Acc acc) { return acc; }
};

}  // namespace millrace::detail
