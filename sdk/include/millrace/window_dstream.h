// Windows over batches: what the last so many batches hold, every so often.
//
//   hits.ReduceByKeyAndWindow(std::plus<>(), std::chrono::minutes(10), std::chrono::seconds(1))   // pairs
//   lines.CountByWindow(std::chrono::minutes(1)).Print();
//
// A window covers the batches of its length that end with the present one; it gives a result every `slide`, at batches
// whose number is a multiple of it. Both are multiples of the stream's own slide, which is the batch interval unless
// the stream comes from a window; a slide that is left out is that one. What follows a window has its slide: it gives a
// result, also an empty one, when the window does. A slide longer than the window leaves batches out.
//
// A window costs what changes: each batch is reduced once, and an associative reduction slides at a constant cost for
// each key of a batch, without an inverse (internal/window_panes.h says how). Results come for every key of the window,
// in an order that is the same whenever the same batches come. Reductions run from the oldest record to the newest.
// Errors: std::invalid_argument at plan time. Event time is another matter: <millrace/event_time_dstream.h>.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>
#include <utility>

#include "millrace/internal/window_operators.h"
#include "millrace/internal/window_records.h"
#include "millrace/join_dstream.h"

namespace millrace {

template <class T>
class WindowOperations : public JoinOperations<T> {
  using Where = std::source_location;
  using Partitions = std::optional<std::int64_t>;
  using Length = std::chrono::microseconds;
  using Slide = std::optional<std::chrono::microseconds>;
  using K = typename detail::PairTypes<T>::K;
  using V = typename detail::PairTypes<T>::V;

 public:
  using JoinOperations<T>::JoinOperations;

  // All records of the window, those of the oldest batch first. Records of one map partition stay together.
  auto Window(Length length, Slide slide = {}, Partitions partitions = {}, Where where = Where::current()) const {
    return Records("Window", WindowNode<T>("Window", length, slide, partitions, where));
  }

  // The records of the batches between two times ago, both included: Slice(60s, 0s) with a batch interval of 1 s is the
  // present batch and the sixty before it. What is no multiple of the stream's slide is rounded down.
  auto Slice(Length from_ago, Length to_ago, Where where = Where::current()) const {
    if (to_ago.count() < 0 || from_ago < to_ago) {
      detail::Refuse("Slice", detail::LocationOf(where),
                     "it needs two times ago, the earlier one first: Slice(std::chrono::seconds(60), "
                     "std::chrono::seconds(0))");
    }
    detail::Node node = this->template Exchange<T>("Slice", Partitions{}, where);
    node.window_us = from_ago.count();
    node.lag_us = to_ago.count();
    return Records("Slice", std::move(node));
  }

  // How many records the window has; 0 for an empty one.
  auto CountByWindow(Length length, Slide slide = {}, Where where = Where::current()) const {
    detail::Node node = WindowNode<std::uint64_t>("CountByWindow", length, slide, 1, where);
    node.description.combine = true;
    detail::KeepState<detail::CountWindowState>(node, "CountByWindow");
    node.make_writer = detail::MakeFactory<detail::CountWriter<T>>();
    node.make = detail::MakeFactory<detail::CountWindowReader>();
    return DStream<std::uint64_t>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // Each different record of the window and how often it has it.
  auto CountByValueAndWindow(Length length, Slide slide = {}, Partitions partitions = {},
                             Where where = Where::current()) const {
    static_assert(Hashable<T> && Encodable<Owned<T>>,
                  "CountByValueAndWindow needs a millrace::Hasher and a millrace::Codec for this record type");
    static_assert(detail::kCanBeKept<T>,
                  "CountByValueAndWindow keeps records, and this type holds views: Map it to "
                  "owned text, or specialise OwnedTraits");
    return Reducing<detail::CountPolicy<T>>("CountByValueAndWindow", length, slide, partitions, where,
                                            [] { return detail::CountPolicy<T>{}; });
  }

  // At most one record: all of the window, reduced by f(T, T), which must be associative; none for an empty window.
  template <class F>
  auto ReduceByWindow(F f, Length length, Slide slide = {}, Where where = Where::current()) const {
    static_assert(std::is_invocable_v<const F&, T, const T&>,
                  "ReduceByWindow needs a function callable, as const, as f(accumulated, record)");
    const auto with_key = DStream<T>(this->graph(), this->id())
                              .Map([](const T& record) { return std::pair<std::uint8_t, T>(0, record); }, where);
    const auto reduced = with_key.ReduceByKeyAndWindow(std::move(f), length, slide, 1, where);
    reduced.Name("ReduceByWindow");
    return reduced.Map([](const std::pair<std::uint8_t, Owned<T>>& record) { return record.second; }, where);
  }
  // The same, for those who bring an inverse: it is not needed, and not called.
  template <class F, class Inverse>
  requires std::is_invocable_v<const Inverse&, T, const T&>
  auto ReduceByWindow(F f, const Inverse& /*inverse*/, Length length, Slide slide = {},
                      Where where = Where::current()) const {
    return ReduceByWindow(std::move(f), length, slide, where);
  }

  // One record a key of the window: its values reduced by f(V, V), which must be associative.
  template <class F>
  auto ReduceByKeyAndWindow(F f, Length length, Slide slide = {}, Partitions partitions = {},
                            Where where = Where::current()) const {
    CheckPairs<F>();
    const auto shared = std::make_shared<const F>(std::move(f));
    using Policy = SharedReduce<F>;
    return Reducing<Policy>("ReduceByKeyAndWindow", length, slide, partitions, where,
                            [shared] { return Policy{shared}; });
  }
  // The same, for those who bring an inverse. Keys that leave the window are gone without it, no error adds up in
  // floating point, and a window slides at the same cost; so it is not needed, and not called.
  template <class F, class Inverse>
  requires std::is_invocable_v<const Inverse&, V, const V&>
  auto ReduceByKeyAndWindow(F f, const Inverse& /*inverse*/, Length length, Slide slide = {},
                            Partitions partitions = {}, Where where = Where::current()) const {
    return ReduceByKeyAndWindow(std::move(f), length, slide, partitions, where);
  }

  // One record a key of the window: all its values, the oldest first. To reduce them, ReduceByKeyAndWindow is far
  // cheaper.
  auto GroupByKeyAndWindow(Length length, Slide slide = {}, Partitions partitions = {},
                           Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>,
                  "GroupByKeyAndWindow needs a stream of std::pair: Map each record to a pair first");
    return Window(length, slide, partitions, where).GroupByKey(partitions, where);
  }

 private:
  // A reduction that owns its function: state outlives every task.
  template <class F>
  struct SharedReduce {
    using Record = std::pair<K, V>;
    using Key = K;
    using Value = Owned<V>;
    std::shared_ptr<const F> f;

    static const K& KeyOf(const Record& record) { return record.first; }
    static Value Start(const Record& record) { return ToOwned<V>(record.second); }
    void Add(Value& acc, const Record& record) const { detail::Fold<V>(acc, record.second, *f); }
    void Merge(Value& acc, const Value& more) const { detail::Fold<V>(acc, ViewOf<V>(more), *f); }
  };

  template <class F>
  static void CheckPairs() {
    static_assert(detail::kIsPair<T>,
                  "ReduceByKeyAndWindow needs a stream of std::pair: Map each record to a pair first");
    static_assert(
        Hashable<K> && Encodable<Owned<K>> && Encodable<Owned<V>>,
        "ReduceByKeyAndWindow needs a millrace::Hasher for the key type, and a millrace::Codec for key and value");
    static_assert(detail::kCanBeKept<T>,
                  "ReduceByKeyAndWindow keeps records, and this type holds views: Map it to owned "
                  "text, or specialise OwnedTraits");
    static_assert(std::is_invocable_v<const F&, V, const V&>,
                  "ReduceByKeyAndWindow needs a function callable, as const, as f(accumulated, value)");
  }

  template <class Out>
  detail::Node WindowNode(std::string_view name, Length length, Slide slide, Partitions partitions,
                          const Where& where) const {
    detail::Node node = this->template Exchange<Out>(name, partitions, where);
    const auto check = [&](std::string_view what, std::int64_t us) {
      if (us > 0 && us / 1'000 < (std::int64_t{1} << 31)) return;
      detail::Refuse(node.description, detail::Cat("its ", what, " of ", us,
                                                   " us is not possible: pass a time greater than 0, "
                                                   "of at most 2^31 batches"));
    };
    check("window", length.count());
    if (slide) check("slide", slide->count());
    node.window_us = length.count();
    node.slide_us = slide ? slide->count() : 0;
    return node;
  }

  auto Records(std::string_view name, detail::Node node) const {
    static_assert(Encodable<T>, "windows need a millrace::Codec for this record type; see <millrace/codec.h>");
    detail::KeepState<detail::RecordWindowState>(node, detail::Cat(name, " of ", detail::TypeName<T>()));
    node.make_writer = detail::MakeFactory<detail::RecordWindowWriter<T>>();
    node.make = detail::MakeFactory<detail::RecordWindowReader<T>>();
    return DStream<T>(this->graph(), this->graph()->Add(std::move(node)));
  }

  template <class Policy, class MakePolicy>
  auto Reducing(std::string_view name, Length length, Slide slide, Partitions partitions, const Where& where,
                MakePolicy policy) const {
    using Out = std::pair<Owned<typename Policy::Key>, typename Policy::Value>;
    detail::Node node = WindowNode<Out>(name, length, slide, partitions, where);
    node.description.combine = true;
    detail::KeepState<detail::ReduceWindowState<Policy>>(node, detail::Cat(name, " of ", detail::TypeName<Out>()),
                                                         policy());
    node.make_writer = [policy](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::CombineWriter<Policy>>(setup, policy());
    };
    node.make = [policy](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::ReduceWindowReader<Policy>>(setup, policy());
    };
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
};

}  // namespace millrace
