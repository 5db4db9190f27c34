// The operators of a stream of pairs, DStream<std::pair<K, V>>: by key, or on the values alone.
//
//   words.Map([](std::string_view word) { return std::pair(word, 1L); })
//        .ReduceByKey([](long a, long b) { return a + b; })        // DStream<std::pair<std::string, long>>
//
// Keys are compared within one batch. K needs a Hasher and ==, what is exchanged needs a Codec; known types have all of
// them. All exchanges are deterministic: a reducer merges its inputs in map-partition order and gives keys in the order
// in which they came. `partitions`: how many tasks reduce, 1 to 65536; left out, the job's default
// (JobContext::DefaultPartitions). Errors: std::invalid_argument for a number of partitions that is not possible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/aggregate_operators.h"
#include "millrace/internal/combine_operators.h"
#include "millrace/internal/emitted_type.h"
#include "millrace/internal/exchange_operators.h"
#include "millrace/internal/narrow_operators.h"
#include "millrace/outputs.h"

namespace millrace {

template <class T>
class DStream;

namespace detail {

// Key and value of a pair type; for other types something harmless, so that the error is the static_assert's alone.
template <class T>
struct PairTypes {
  using K = int;
  using V = int;
};
template <class A, class B>
struct PairTypes<std::pair<A, B>> {
  using K = A;
  using V = B;
};

// Turns a function of the value, which emits values, into one of the pair, which emits pairs.
template <class K, class V, class W, class F>
struct FlatMapValuesFunction {
  F f;
  template <class Emit>
  void operator()(const std::pair<K, V>& record, Emit& emit) const {
    if constexpr (std::is_invocable_v<const F&, const V&, Emitter<W>&>) {
      const auto emit_value = [&](auto&& value) {
        static_assert(std::is_constructible_v<W, decltype(value)>,
                      "what is emitted is not of the output's value type: name it, as in FlatMapValues<Type>(...)");
        emit(std::pair<K, W>(record.first, W(std::forward<decltype(value)>(value))));
      };
      std::invoke(f, record.second, emit_value);
    } else {
      for (auto&& value : std::invoke(f, record.second)) emit(std::pair<K, W>(record.first, W(value)));
    }
  }
};

}  // namespace detail

template <class T>
class PairOperations : public OutputOperations<T> {
  using Where = std::source_location;
  using Partitions = std::optional<std::int64_t>;
  using K = typename detail::PairTypes<T>::K;
  using V = typename detail::PairTypes<T>::V;

 public:
  using OutputOperations<T>::OutputOperations;

  // (k, v) becomes (k, f(v)).
  template <class F>
  auto MapValues(F f, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "MapValues needs a stream of std::pair: Map each record to a pair first");
    static_assert(std::is_invocable_v<const F&, const V&>,
                  "MapValues needs a function callable, as const, as f(value)");
    using W = std::remove_cvref_t<std::invoke_result_t<const F&, const V&>>;
    return MapPairs<std::pair<K, W>>(
        "MapValues",
        [f = std::move(f)](const T& record) { return std::pair<K, W>(record.first, std::invoke(f, record.second)); },
        where);
  }

  // (k, v) becomes k, v, or (v, k).
  DStream<K> Keys(Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "Keys needs a stream of std::pair: Map each record to a pair first");
    return MapPairs<K>(
        "Keys", [](const T& record) -> const K& { return record.first; }, where);
  }
  DStream<V> Values(Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "Values needs a stream of std::pair: Map each record to a pair first");
    return MapPairs<V>(
        "Values", [](const T& record) -> const V& { return record.second; }, where);
  }
  DStream<std::pair<V, K>> Swap(Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "Swap needs a stream of std::pair: Map each record to a pair first");
    return MapPairs<std::pair<V, K>>(
        "Swap", [](const T& record) { return std::pair<V, K>(record.second, record.first); }, where);
  }

  // (k, v) becomes (k, w) for every w that f(v) holds, or that f(v, emit) emits. The type of w is FlatMapValues<W>'s;
  // left out, it is that of the range, or V for an emitting function.
  template <class W = void, class F>
  auto FlatMapValues(F f, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "FlatMapValues needs a stream of std::pair: Map each record to a pair first");
    using Value = detail::Emitted<W, V, F, V>;
    using Out = std::pair<K, Value>;
    using G = detail::FlatMapValuesFunction<K, V, Value, F>;
    return AddNarrow<Out, detail::FlatMapOperator<T, Out, G>>("FlatMapValues", G{std::move(f)}, where);
  }

  // One record a key: its values combined by f(V, V), which should be associative. Combines in the map tasks before
  // anything is sent. The accumulated value is the first argument and is moved in, so f may take it by value, change it
  // and give it back.
  template <class F>
  auto ReduceByKey(F f, Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "ReduceByKey needs a stream of std::pair: Map each record to a pair first");
    static_assert(Hashable<K>, "ReduceByKey needs a millrace::Hasher for the key type; see <millrace/hash.h>");
    static_assert(Encodable<Owned<K>>, "ReduceByKey needs a millrace::Codec for the key type; see <millrace/codec.h>");
    static_assert(Encodable<Owned<V>>,
                  "ReduceByKey needs a millrace::Codec for the value type; see <millrace/codec.h>");
    static_assert(
        detail::kCanBeKept<T>,
        "ReduceByKey keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    static_assert(
        std::is_invocable_v<const F&, V, const V&>,
        "ReduceByKey needs a function callable, as const, as f(accumulated, value), which gives the new value");
    using Policy = detail::ReducePolicy<K, V, F>;
    detail::Node node = this->template Exchange<std::pair<Owned<K>, Owned<V>>>("ReduceByKey", partitions, where);
    node.description.combine = true;
    const auto shared = std::make_shared<const F>(std::move(f));
    node.make_writer = [shared](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::CombineWriter<Policy>>(setup, Policy{*shared});
    };
    node.make = [shared](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::CombineReader<Policy>>(setup, Policy{*shared});
    };
    return DStream<std::pair<Owned<K>, Owned<V>>>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // One record a key: a vector of all its values, in the order of the map partitions and of the records in each. All
  // values of a key must fit in memory; to reduce them to something small, ReduceByKey is far cheaper.
  auto GroupByKey(Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "GroupByKey needs a stream of std::pair: Map each record to a pair first");
    static_assert(Hashable<K>, "GroupByKey needs a millrace::Hasher for the key type; see <millrace/hash.h>");
    static_assert(Encodable<Owned<K>>, "GroupByKey needs a millrace::Codec for the key type; see <millrace/codec.h>");
    static_assert(Encodable<Owned<V>>, "GroupByKey needs a millrace::Codec for the value type; see <millrace/codec.h>");
    static_assert(
        detail::kCanBeKept<T>,
        "GroupByKey keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    using Out = std::pair<Owned<K>, std::vector<Owned<V>>>;
    detail::Node node = this->template Exchange<Out>("GroupByKey", partitions, where);
    node.make_writer = detail::MakeFactory<detail::GroupWriter<K, V>>();
    node.make = detail::MakeFactory<detail::GroupReader<K, V>>();
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // One record a key: a combiner, of whatever type C `create` gives. create(v) makes one of a value, merge_value(C, v)
  // adds a value to one, merge_combiners(C, C) makes one of two, as the map tasks have made them; combiners are moved
  // in. Without `map_side_combine` values are sent as they are and only merged where they arrive: cheaper when most
  // keys have one value.
  template <class Create, class MergeValue, class MergeCombiners>
  auto CombineByKey(Create create, MergeValue merge_value, MergeCombiners merge_combiners, Partitions partitions = {},
                    bool map_side_combine = true, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "CombineByKey needs a stream of std::pair: Map each record to a pair first");
    static_assert(std::is_invocable_v<const Create&, const V&>,
                  "CombineByKey needs a first function callable, as const, as create(value)");
    using C = Owned<std::remove_cvref_t<std::invoke_result_t<const Create&, const V&>>>;
    return Aggregate<C>("CombineByKey",
                        detail::CombineFunctions<Create, MergeValue, MergeCombiners>{
                            std::move(create), std::move(merge_value), std::move(merge_combiners)},
                        partitions, map_side_combine, where);
  }

  // One record a key: add(… add(add(zero, v1), v2) …, vn) for the values of each map task, and those results combined
  // by merge(C, C). So `zero` may count once for each map task: it should change nothing.
  template <class C, class Add, class Merge>
  auto AggregateByKey(C zero, Add add, Merge merge, Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "AggregateByKey needs a stream of std::pair: Map each record to a pair first");
    static_assert(std::is_invocable_r_v<C, const Add&, C, const V&>,
                  "AggregateByKey needs a function callable, as const, as add(C, value), which gives a C");
    const auto shared = std::make_shared<const Add>(std::move(add));
    auto create = [zero = std::move(zero), shared](const V& value) -> C {
      return std::invoke(*shared, C(zero), value);
    };
    auto merge_value = [shared](C acc, const V& value) -> C { return std::invoke(*shared, std::move(acc), value); };
    return Aggregate<C>("AggregateByKey",
                        detail::CombineFunctions<decltype(create), decltype(merge_value), Merge>{
                            std::move(create), std::move(merge_value), std::move(merge)},
                        partitions, true, where);
  }

  // The same with one function of two values, f(V, V), for both.
  template <class F>
  auto FoldByKey(Owned<V> zero, F f, Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "FoldByKey needs a stream of std::pair: Map each record to a pair first");
    using C = Owned<V>;
    static_assert(std::is_invocable_r_v<C, const F&, C, const V&> && std::is_invocable_r_v<C, const F&, C, C>,
                  "FoldByKey needs a function callable, as const, as f(accumulated, value), which gives the new value");
    const auto shared = std::make_shared<const F>(std::move(f));
    auto create = [zero = std::move(zero), shared](const V& value) -> C {
      return std::invoke(*shared, C(zero), value);
    };
    auto merge = [shared](C acc, const auto& more) -> C { return std::invoke(*shared, std::move(acc), more); };
    return Aggregate<C>(
        "FoldByKey",
        detail::CombineFunctions<decltype(create), decltype(merge), decltype(merge)>{std::move(create), merge, merge},
        partitions, true, where);
  }

 protected:
  template <class Out, class F>
  DStream<Out> MapPairs(std::string_view name, F f, const Where& where) const {
    return AddNarrow<Out, detail::MapOperator<T, Out, F>>(name, std::move(f), where);
  }

  template <class C, class Functions>
  auto Aggregate(std::string_view name, Functions functions, Partitions partitions, bool map_side_combine,
                 const Where& where) const {
    static_assert(Hashable<K>, "combining by key needs a millrace::Hasher for the key type; see <millrace/hash.h>");
    static_assert(Encodable<Owned<K>> && Encodable<Owned<V>>,
                  "combining by key needs a millrace::Codec for key and value; see <millrace/codec.h>");
    static_assert(Encodable<C>, "combining by key needs a millrace::Codec for the combiner; see <millrace/codec.h>");
    static_assert(
        detail::kCanBeKept<T> && detail::kCanBeKept<C>,
        "combining by key keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    using Policy = detail::AggregatePolicy<K, V, C, Functions>;
    using Out = std::pair<Owned<K>, C>;
    detail::Node node = this->template Exchange<Out>(name, partitions, where);
    node.description.combine = map_side_combine;
    const auto shared = std::make_shared<const Functions>(std::move(functions));
    if (map_side_combine) {
      node.make_writer = [shared](const detail::OperatorSetup& setup) {
        return std::make_unique<detail::CombineWriter<Policy>>(setup, Policy{*shared});
      };
      node.make = [shared](const detail::OperatorSetup& setup) {
        return std::make_unique<detail::CombineReader<Policy>>(setup, Policy{*shared});
      };
    } else {
      node.make_writer = detail::MakeFactory<detail::GroupWriter<K, V>>();
      node.make = [shared](const detail::OperatorSetup& setup) {
        return std::make_unique<detail::ValuesReader<Policy, V>>(setup, Policy{*shared});
      };
    }
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // Adds an operator without exchange that has a user function.
  template <class Out, class Op, class F>
  DStream<Out> AddNarrow(std::string_view name, F f, const Where& where) const {
    detail::Node node = this->template Consume<Out>(engine::OperatorKind::kNarrow, name, where);
    node.handles_bad = requires { Op::kHandlesBad; };
    node.make = detail::MakeFactoryFor<Op>(std::make_shared<const F>(std::move(f)));
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
};

}  // namespace millrace
