// Keyed state: operators of a stream of pairs that remember something of each key from batch to batch.
//
//   words.Map([](std::string_view word) { return std::pair(word, 1L); })
//        .UpdateStateByKey([](const std::string&, std::span<const long> ones, std::optional<long> count) {
//          return std::optional(count.value_or(0) + static_cast<long>(ones.size()));
//        })                                                        // DStream<std::pair<std::string, long>>
//
// UpdateStateByKey: one state a key, looked at in every batch. MapWithState (<millrace/state_spec.h>): one state a key,
// looked at when a record comes, with timeouts. Process (<millrace/keyed_process.h>): several states a key, timers,
// time to live. All are exchanges: K needs a Hasher, K, V and the state need Codecs. State lives in memory or in
// RocksDB (JobContext::State), is checkpointed, and moves by key group; give the operator a Uid so that the next
// version of the job finds it. User functions and all orders depend on nothing but the input: no clock, no random
// numbers; the time is the batch's. Errors: std::invalid_argument at plan time; what user functions throw fails the
// attempt.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/internal/exchange_operators.h"
#include "millrace/internal/keyed_functions.h"
#include "millrace/internal/keyed_map_state.h"
#include "millrace/internal/keyed_process_reader.h"
#include "millrace/internal/keyed_update.h"
#include "millrace/keyed_process.h"
#include "millrace/state_spec.h"
#include "millrace/window_dstream.h"

namespace millrace {

struct UpdateOptions {
  std::optional<std::int64_t> partitions = std::nullopt;  // left out: the job's default
  // Is the function called for every key in every batch, as in Spark, or only for the keys that the batch has records
  // of? The second costs what the batch costs, however many keys there are.
  bool sweep = true;
};

// What MapWithState gives: the records that its function gives, and beside them all states.
template <class K, class S, class U>
class MappedStream : public DStream<U> {
  using Where = std::source_location;

 public:
  using DStream<U>::DStream;

  const MappedStream& Uid(std::string_view uid) const {
    this->SetUid(uid);
    return *this;
  }
  const MappedStream& Name(std::string_view name) const {
    this->SetName(name);
    return *this;
  }

  // In every batch all keys and their states, as they are after it. Costs nothing unless it is used.
  DStream<std::pair<K, S>> StateSnapshots(Where where = Where::current()) const {
    using Out = std::pair<K, S>;
    detail::Node node = this->template Consume<Out>(engine::OperatorKind::kNarrow, "StateSnapshots", where);
    node.description.side = true;
    node.make = detail::MakeFactory<detail::UnionOperator<Out>>();
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
};

template <class T>
class StatefulOperations : public WindowOperations<T> {
  using Where = std::source_location;
  using K = typename detail::PairTypes<T>::K;
  using V = typename detail::PairTypes<T>::V;
  using Key = Owned<K>;

 public:
  using WindowOperations<T>::WindowOperations;

  // f(const Key&, std::span<const Value> new values, std::optional<S> old state[, const BatchContext&]) gives
  // std::optional<S>: the new state, or nothing to remove the key. Called in every batch for every key that has a
  // state, also when the batch has no records of it, and for every key of the batch. Gives (key, state) for each of
  // them that has a state afterwards.
  template <class S = void, class F>
  auto UpdateStateByKey(F f, UpdateOptions options = {}, Where where = Where::current()) const {
    using State = detail::Updated<S, F, Key, V>;
    return AddUpdate<State>(std::move(f), std::vector<std::pair<Key, State>>(), options, where);
  }
  template <class S = void, class F>
  auto UpdateStateByKey(F f, std::int64_t partitions, Where where = Where::current()) const {
    return this->template UpdateStateByKey<S>(std::move(f), UpdateOptions{.partitions = partitions}, where);
  }
  // With the states that keys have before the first batch. They are loaded when the job's state begins, and never
  // again.
  template <class S = void, class F, class A, class B>
  auto UpdateStateByKey(F f, const std::vector<std::pair<A, B>>& initial, UpdateOptions options = {},
                        Where where = Where::current()) const {
    return AddUpdate<detail::Updated<S, F, Key, V>>(std::move(f), initial, options, where);
  }

  // Calls a function for every record, with the state of its key; see <millrace/state_spec.h>. Gives a stream of what
  // the function gives, which also has StateSnapshots().
  template <class S, class F, class A, class B>
  auto MapWithState(MapStateSpec<S, F, A, B> spec, Where where = Where::current()) const {
    CheckKeyed();
    using Argument = typename detail::HandleArgument<F>::Type;
    using State = std::conditional_t<std::is_void_v<S>, Argument, S>;
    static_assert(
        !std::is_void_v<State> && detail::kCallsWithBatch<F, const Key&, std::optional<V>, StateHandle<State>&>,
        "MapWithState needs a function callable, as const, as f(key, "
        "std::optional<Value>, "
        "StateHandle<State>&), with a const BatchContext& as fourth "
        "argument if it likes; a function of auto "
        "arguments needs the state's type: StateSpec<State>(f)");
    using Result = detail::ResultWithBatch<F, const Key&, std::optional<V>, StateHandle<State>&>;
    static_assert(!std::is_void_v<Result>,
                  "MapWithState needs a function that gives a record, or an "
                  "optional of one");
    using Out = typename detail::MappedRecord<Result>::Type;
    static_assert(detail::kCanBeKept<Out>,
                  "MapWithState's function gives views, and the state behind "
                  "them changes: give owned text");
    CheckState<State>();

    detail::Node node = this->template Exchange<Out>("MapWithState", spec.partitions, where);
    const std::int64_t timeout_us = spec.timeout.count();
    if (timeout_us < 0 || timeout_us > detail::kLongestUs) {
      detail::Refuse(node.description, "its timeout is not possible; pass 1 us to 100 years, or 0 for none");
    }
    using Kept = detail::MapState<Key, State>;
    detail::InitialState<Key, State> initial;
    if constexpr (!std::is_same_v<A, detail::NoState>) {
      initial = detail::MakeInitialState<Key, State>(node, spec.initial);
    }
    detail::KeepState<Kept>(node, Describe<State>("MapWithState"), std::move(initial));
    node.make_writer = detail::MakeFactory<detail::GroupWriter<K, V>>();
    node.make = [f = std::make_shared<const F>(std::move(spec.f)), timeout_us](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::MapStateReader<K, V, State, Out, F>>(setup, *f, timeout_us);
    };
    return MappedStream<Key, State, Out>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // Runs a P, which is a KeyedProcess of your own, made as P(args...); see <millrace/keyed_process.h>.
  template <class P, class... Args>
  auto Process(const ProcessOptions& options, Args... args) const {
    CheckKeyed();
    CheckProcess<P>();
    using Out = typename P::Output;
    using Kept = detail::ProcessState<P>;
    const auto make = [args = std::make_shared<const std::tuple<Args...>>(std::move(args)...)] {
      return std::apply([](const Args&... each) { return P(each...); }, *args);
    };
    detail::Node node = this->template Exchange<Out>("Process", options.partitions, options.where);
    // A process that is made here, and never used, says which states there are, and whether they are right.
    std::string states;
    try {
      states = Kept({&node.description, 0, 1, nullptr}, make).core.description();
    } catch (const std::exception& e) {
      detail::Refuse(node.description, detail::Cat(detail::TypeName<P>(), " cannot be made: ", e.what()));
    }
    detail::KeepState<Kept>(node,
                            detail::Cat("Process ", detail::TypeName<P>(), " of ", detail::TypeName<Key>(), ": ",
                                        states.empty() ? "no states" : states),
                            make);
    node.make_writer = detail::MakeFactory<detail::GroupWriter<K, V>>();
    node.make = detail::MakeFactory<detail::ProcessReader<P, K>>();
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
  template <class P>
  auto Process(Where where = Where::current()) const {
    return this->template Process<P>(ProcessOptions{.where = where});
  }

 protected:
  static constexpr void CheckKeyed() {
    static_assert(detail::kIsPair<T>,
                  "keyed state needs a stream of std::pair: Map each record to "
                  "a pair first");
    static_assert(Hashable<K>,
                  "keyed state needs a millrace::Hasher for the "
                  "key type; see <millrace/hash.h>");
    static_assert(Encodable<Key>,
                  "keyed state needs a millrace::Codec for the "
                  "key type; see <millrace/codec.h>");
    static_assert(Encodable<V>,
                  "keyed state needs a millrace::Codec for the "
                  "value type; see <millrace/codec.h>");
    static_assert(detail::kCanBeKept<K>,
                  "keyed state keeps keys, and this key type holds views: use "
                  "owned text, or specialise OwnedTraits");
  }
  template <class S>
  static constexpr void CheckState() {
    static_assert(Encodable<S>,
                  "keyed state needs a millrace::Codec for the "
                  "state's type; see <millrace/codec.h>");
    static_assert(detail::kCanBeKept<S> && detail::kOwnsItself<S>,
                  "a state is kept from batch to batch, and this type holds "
                  "views: use owned text");
  }

  template <class P>
  static constexpr void CheckProcess() {
    static_assert(
        std::is_base_of_v<detail::ProcessBase<Key>, P>,
        "Process needs a class derived from millrace::KeyedProcess<Key, Value, Out> with the stream's key type, "
        "std::string for std::string_view");
    using In = typename P::Record;
    static_assert(
        std::is_same_v<In, V> || std::is_same_v<In, Owned<V>> || std::is_same_v<In, typename detail::InBlock<V>::Type>,
        "the KeyedProcess takes other records than the stream's values");
    static_assert(detail::kHasOnRecord<P>,
                  "Process needs a public member void OnRecord(Context&, const Key&, const Value&, Emit&)");
    static_assert(detail::kCanBeKept<typename P::Output> && detail::kOwnsItself<typename P::Output>,
                  "a KeyedProcess emits records that own what they point to: use std::string for std::string_view");
  }

 private:
  // "MapWithState of std::string to double"
  template <class S>
  static std::string Describe(std::string_view op) {
    return detail::Cat(op, " of ", detail::TypeName<Key>(), " to ", detail::TypeName<S>());
  }

  template <class S, class F, class A, class B>
  DStream<std::pair<Key, S>> AddUpdate(F f, const std::vector<std::pair<A, B>>& initial, const UpdateOptions& options,
                                       const Where& where) const {
    CheckKeyed();
    CheckState<S>();
    using Out = std::pair<Key, S>;
    detail::Node node = this->template Exchange<Out>("UpdateStateByKey", options.partitions, where);
    detail::KeepState<detail::UpdateState<Key, S>>(node, Describe<S>("UpdateStateByKey"),
                                                   detail::MakeInitialState<Key, S>(node, initial));
    node.make_writer = detail::MakeFactory<detail::GroupWriter<K, V>>();
    node.make = [f = std::make_shared<const F>(std::move(f)), sweep = options.sweep](const auto& setup) {
      return std::make_unique<detail::UpdateReader<K, V, S, F>>(setup, *f, sweep);
    };
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
};

}  // namespace millrace
