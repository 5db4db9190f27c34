// Joins of DStreams: two streams of one batch by key, a stream with a table that another stream changes, and a stream
// with one value that another stream sets.
//
//   clicks.Join(views)                                  // DStream<std::pair<K, std::pair<V, W>>>
//   clicks.JoinTable(users).Uid("users")                // each click with what is known of its user
//   points.WithBroadcast(models, [](const Point& p, const Model* model) { return Predict(p, model); })
//
// Join, its outer forms and Cogroup see the records of one batch, so wider matching needs a window on each side. Both
// streams are of one job and give results equally often. JoinTable and WithBroadcast remember the other stream: give
// them a Uid. What the other stream has in a batch holds for the records of that same batch already.
//
// All orders are functions of the input. Where several map tasks change one key of a table, or set the value, in one
// batch, the later map task wins: let one key come from one partition. Joins are exchanges: K needs a Hasher, both
// sides need Codecs; `partitions` as in <millrace/pair_dstream.h>. Errors: std::invalid_argument at plan time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/internal/join_broadcast.h"
#include "millrace/internal/join_operators.h"
#include "millrace/internal/join_sides.h"
#include "millrace/internal/join_table.h"
#include "millrace/pair_dstream.h"

namespace millrace {

template <class T>
class JoinOperations : public PairOperations<T> {
  using Where = std::source_location;
  using Partitions = std::optional<std::int64_t>;
  using K = typename detail::PairTypes<T>::K;
  using V = typename detail::PairTypes<T>::V;

 public:
  using PairOperations<T>::PairOperations;

  // (k, (v, w)) for every v of this stream and every w of the other that the batch has under k.
  template <class U>
  auto Join(const DStream<U>& other, Partitions partitions = {}, Where where = Where::current()) const {
    return JoinOf<detail::JoinKind::kInner>("Join", other, partitions, where);
  }
  // The same, and (k, (v, nullopt)) where the other stream has nothing under k.
  template <class U>
  auto LeftOuterJoin(const DStream<U>& other, Partitions partitions = {}, Where where = Where::current()) const {
    return JoinOf<detail::JoinKind::kLeft>("LeftOuterJoin", other, partitions, where);
  }
  // The same as Join, and (k, (nullopt, w)) where this stream has nothing under k.
  template <class U>
  auto RightOuterJoin(const DStream<U>& other, Partitions partitions = {}, Where where = Where::current()) const {
    return JoinOf<detail::JoinKind::kRight>("RightOuterJoin", other, partitions, where);
  }
  // Both: two optionals, of which at least one is there.
  template <class U>
  auto FullOuterJoin(const DStream<U>& other, Partitions partitions = {}, Where where = Where::current()) const {
    return JoinOf<detail::JoinKind::kFull>("FullOuterJoin", other, partitions, where);
  }
  // (k, (all v, all w)), one record a key that at least one stream has.
  template <class U>
  auto Cogroup(const DStream<U>& other, Partitions partitions = {}, Where where = Where::current()) const {
    return JoinOf<detail::JoinKind::kCogroup>("Cogroup", other, partitions, where);
  }

  // (k, (v, w)) for every record (k, v) whose key is in the table; the others are left out. `updates` makes the table:
  // (k, w) puts w under k, and so does (k, std::optional(w)); (k, std::nullopt) takes k out. Records keep the order
  // that they have in their map partition.
  template <class U>
  auto JoinTable(const DStream<U>& updates, Partitions partitions = {}, Where where = Where::current()) const {
    return TableJoin<false>("JoinTable", updates, partitions, where);
  }
  // The same with std::optional<W>, for every record.
  template <class U>
  auto LeftJoinTable(const DStream<U>& updates, Partitions partitions = {}, Where where = Where::current()) const {
    return TableJoin<true>("LeftJoinTable", updates, partitions, where);
  }

  // Each record becomes f(record, value), where `value` points to the last record that `values` has had, or is null
  // when it has had none; or whatever f(record, value, emit) emits, of the type WithBroadcast<U>. Records of one map
  // partition stay together and in order. The value is sent to every partition when it changes, and saved once for each
  // key group: it should be a model, not a table.
  template <class U = void, class X, class F>
  auto WithBroadcast(const DStream<X>& values, F f, Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(Encodable<T> && Encodable<Owned<X>>,
                  "WithBroadcast needs a millrace::Codec for both record types; see <millrace/codec.h>");
    static_assert(detail::kCanBeKept<X>,
                  "WithBroadcast keeps a value, and this type holds views: Map it to owned text, or specialise "
                  "OwnedTraits");
    using Value = Owned<X>;
    using Emitted = std::conditional_t<std::is_void_v<U>, T, U>;
    constexpr bool kEmits = std::is_invocable_v<const F&, const T&, const Value*, Emitter<Emitted>&>;
    static_assert(kEmits || std::is_invocable_v<const F&, const T&, const Value*>,
                  "WithBroadcast needs a function callable, as const, as f(record, const Value*), or as f(record, "
                  "const Value*, emit)");
    using Out = typename BroadcastResult<kEmits, Emitted, F, Value>::Type;
    static_assert(!std::is_void_v<Out>, "WithBroadcast needs a function that gives something");
    detail::Node node = this->template TwoSided<Out>("WithBroadcast", values, partitions, where);
    detail::KeepState<detail::BroadcastState<Value>>(node, "WithBroadcast of " + detail::TypeName<Value>());
    node.make_writer = detail::MakeFactory<detail::BroadcastWriter<T, X>>();
    node.make = detail::MakeFactoryFor<detail::BroadcastReader<T, X, Out, F>>(std::make_shared<const F>(std::move(f)));
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }

 protected:
  // An exchange that consumes this stream and another; not yet in the graph.
  template <class Out, class U>
  detail::Node TwoSided(std::string_view name, const DStream<U>& other, Partitions partitions,
                        const Where& where) const {
    detail::Node node = this->template Exchange<Out>(name, partitions, where);
    this->RequireSameJob(node, other);
    node.description.inputs = {AddSide<true, T, U>(name, this->id(), where),
                               AddSide<false, T, U>(name, other.id(), where)};
    return node;
  }

 private:
  template <bool kEmits, class Emitted, class F, class Value>
  struct BroadcastResult {
    using Type = Emitted;
  };
  template <class Emitted, class F, class Value>
  struct BroadcastResult<false, Emitted, F, Value> {
    using Type = std::remove_cvref_t<std::invoke_result_t<const F&, const T&, const Value*>>;
  };

  template <bool kLeft, class A, class B>
  std::uint32_t AddSide(std::string_view name, std::uint32_t input, const Where& where) const {
    detail::Node node = detail::NewNode<detail::EitherOf<A, B>>(
        engine::OperatorKind::kNarrow, detail::Cat(name, kLeft ? " (left)" : " (right)"), {input}, where);
    node.make = detail::MakeFactory<detail::SideOperator<A, B, kLeft>>();
    return this->graph()->Add(std::move(node));
  }

  template <class U>
  static constexpr void CheckPairs() {
    static_assert(detail::kIsPair<T> && detail::kIsPair<U>,
                  "a join needs two streams of std::pair: Map each record to a pair first");
    using K2 = typename detail::PairTypes<U>::K;
    static_assert(std::is_same_v<Owned<K>, Owned<K2>>, "a join needs the same key type in both streams");
    static_assert(Hashable<K>, "a join needs a millrace::Hasher for the key type; see <millrace/hash.h>");
    static_assert(Encodable<Owned<T>> && Encodable<Owned<U>>,
                  "a join needs a millrace::Codec for keys and values; see <millrace/codec.h>");
    static_assert(
        detail::kCanBeKept<T> && detail::kCanBeKept<U>,
        "a join keeps records, and these types hold views: Map them to owned text, or specialise OwnedTraits");
  }

  template <detail::JoinKind kKind, class U>
  auto JoinOf(std::string_view name, const DStream<U>& other, Partitions partitions, const Where& where) const {
    CheckPairs<U>();
    using W = typename detail::PairTypes<U>::V;
    using Out = std::pair<Owned<K>, typename detail::Joined<kKind, Owned<V>, Owned<W>>::Type>;
    detail::Node node = this->template TwoSided<Out>(name, other, partitions, where);
    node.make_writer = detail::MakeFactory<detail::KeyedSidesWriter<T, U>>();
    node.make = detail::MakeFactory<detail::JoinReader<kKind, K, V, W>>();
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }

  template <bool kOuter, class U>
  auto TableJoin(std::string_view name, const DStream<U>& updates, Partitions partitions, const Where& where) const {
    CheckPairs<U>();
    static_assert(Encodable<T>, "a join needs a millrace::Codec for this record type; see <millrace/codec.h>");
    using Change = typename detail::PairTypes<U>::V;
    using W = Owned<typename detail::TableValue<Change>::Type>;
    using Out = std::pair<K, std::pair<V, std::conditional_t<kOuter, std::optional<W>, W>>>;
    detail::Node node = this->template TwoSided<Out>(name, updates, partitions, where);
    using State = detail::TableState<Owned<K>, W>;
    detail::KeepState<State>(node,
                             detail::Cat(name, " of ", detail::TypeName<Owned<K>>(), " to ", detail::TypeName<W>()));
    node.make_writer = detail::MakeFactory<detail::KeyedSidesWriter<T, U>>();
    node.make = detail::MakeFactory<detail::TableReader<K, V, Change, kOuter>>();
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
};

}  // namespace millrace
