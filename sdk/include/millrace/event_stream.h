// EventStream<T>: a stream of records that carry the time at which they happened. Made by DStream's WithTimestamps;
// time then goes by the records, not by the clock: results do not change when a batch is late or computed again.
//
//   auto clicks = ctx.Kafka(options).WithSourceTimestamps({.max_out_of_orderness = 2s, .idle_after = 5s})
//                    .Map([](const KafkaRecord& record) { return std::pair(std::string(record.key), 1L); });
//   clicks.WindowByKey(Tumbling(1min)).Reduce(std::plus<>()).Records().Print();
//
// Watermark: how far event time has come. Each source split's is the latest time seen in it less
// max_out_of_orderness. Where streams meet it is the smallest of all splits, and it never goes back. A split without
// records for idle_after of batch time does not count; also one that has never had any, from the first batch on. While
// all are idle the watermark stays. idle_after 0: splits are never idle, so one that stays empty holds everything back.
// A split that has ended does not count. When all have ended the job does, and windows that are open give no result.
//
// An EventStream is a small handle like a DStream, with the same rules for functions and views; see dstream.h. Map,
// Filter and FlatMap are given the record and keep its time. What else a DStream has: Records() and AsDStream().
// Windows: event_windows.h. Errors: std::invalid_argument with operator, place, reason and remedy.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/bad_records.h"
#include "millrace/codec.h"
#include "millrace/event_windows.h"
#include "millrace/hash.h"
#include "millrace/internal/event_functions.h"
#include "millrace/internal/event_join_reader.h"
#include "millrace/internal/event_process_reader.h"
#include "millrace/internal/narrow_operators.h"
#include "millrace/internal/std_types.h"
#include "millrace/internal/stream_base.h"
#include "millrace/keyed_process.h"
#include "millrace/owned.h"
#include "millrace/timed.h"

namespace millrace {

template <class T>
class DStream;

struct EventTimeOptions {
  std::chrono::microseconds max_out_of_orderness{0};
  std::chrono::microseconds idle_after{0};
};

template <class T>
class EventStream : public detail::StreamBase {
  using Where = std::source_location;
  using Partitions = std::optional<std::int64_t>;
  using K = typename detail::EventPairTypes<T>::K;
  using V = typename detail::EventPairTypes<T>::V;

 public:
  using Record = T;

  // For operators: `origins` are those whose clocks this stream goes by.
  EventStream(std::shared_ptr<detail::Graph> graph, std::uint32_t id, std::vector<std::uint32_t> origins)
      : StreamBase(std::move(graph), id), origins_(std::move(origins)) {}
  const std::vector<std::uint32_t>& origins() const { return origins_; }

  const EventStream& Uid(std::string_view uid) const {
    SetUid(uid);
    return *this;
  }
  const EventStream& Name(std::string_view name) const {
    SetName(name);
    return *this;
  }

  // Records and times, as a stream of the batch clock.
  DStream<Timed<T>> AsDStream() const { return DStream<Timed<T>>(graph(), id()); }

  // The records without their times.
  DStream<T> Records(Where where = Where::current()) const {
    const auto value = [](const Timed<T>& record) { return record.value; };
    using G = std::remove_const_t<decltype(value)>;
    return DStream<T>(graph(), AddNarrow<T, detail::MapOperator<Timed<T>, T, G>>("Records", G(value), where));
  }

  // Each record becomes f(record), at the same time.
  template <class F>
  auto Map(F f, Where where = Where::current()) const {
    static_assert(std::is_invocable_v<const F&, const T&>, "Map needs a function callable, as const, as f(record)");
    using Out = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    static_assert(!std::is_void_v<Out>, "Map needs a function that gives something");
    using G = detail::MapTimed<T, Out, F>;
    return Narrow<Out, detail::MapOperator<Timed<T>, Timed<Out>, G>>("Map", G{std::move(f)}, where);
  }

  // Each record becomes those that f(record) holds, or that f(record, emit) emits, at the same time; see
  // DStream::FlatMap.
  template <class U = void, class F>
  auto FlatMap(F f, Where where = Where::current()) const {
    using Out = detail::Emitted<U, T, F, T>;
    using G = detail::FlatMapTimed<T, Out, F>;
    return Narrow<Out, detail::FlatMapOperator<Timed<T>, Timed<Out>, G>>("FlatMap", G{std::move(f)}, where);
  }

  // Keeps the records for which f(record) is true. Those left out still move the watermark.
  template <class F>
  EventStream<T> Filter(F f, Where where = Where::current()) const {
    static_assert(std::is_invocable_r_v<bool, const F&, const T&>,
                  "Filter needs a function callable, as const, as f(record), which gives a bool");
    using G = detail::FilterTimed<T, F>;
    return Narrow<T, detail::FilterOperator<Timed<T>, G>>("Filter", G{std::move(f)}, where);
  }

  // All records of both streams. Its watermark is the slower one's.
  EventStream<T> Union(const EventStream<T>& other, Where where = Where::current()) const {
    detail::Node node = Consume<Timed<T>>(engine::OperatorKind::kNarrow, "Union", where);
    AddInput(node, other);
    node.make = detail::MakeFactory<detail::UnionOperator<Timed<T>>>();
    return EventStream<T>(graph(), graph()->Add(std::move(node)), Joined(other.origins()));
  }

  // Windows by the pair's first part: Tumbling, Sliding or Session; see event_windows.h.
  template <class Windows>
  KeyedWindows<K, V, Windows> WindowByKey(Windows windows, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "WindowByKey needs a stream of std::pair: Map each record to a pair first");
    static_assert(std::is_same_v<Windows, AlignedWindows> || std::is_same_v<Windows, SessionWindows>,
                  "WindowByKey needs Tumbling(size), Sliding(size, slide) or Session(gap)");
    detail::CheckWindows(windows, where);
    return KeyedWindows<K, V, Windows>(*this, windows);
  }

  // Pairs of records of one key, this stream's at t and the other's from t + lower to t + upper, both included. A pair
  // has the later time of the two. Records older than the watermark are left out and counted ("late_records").
  template <class W>
  auto IntervalJoin(const EventStream<std::pair<K, W>>& other, std::chrono::microseconds lower,
                    std::chrono::microseconds upper, Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "IntervalJoin needs two streams of std::pair: Map each record to a pair first");
    static_assert(Encodable<W> && Encodable<Owned<W>>,
                  "IntervalJoin needs a millrace::Codec for the value type; see <millrace/codec.h>");
    static_assert(
        detail::kCanBeKept<W>,
        "IntervalJoin keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    detail::CheckInterval(lower.count(), upper.count(), where);
    using Out = std::pair<Owned<K>, std::pair<Owned<V>, Owned<W>>>;
    const auto left = Map(detail::ToJoinSide<K, V, V, W, 0>(), where).Name("IntervalJoin.left");
    const auto right = other.Map(detail::ToJoinSide<K, W, V, W, 1>(), where).Name("IntervalJoin.right");
    detail::Node node = left.template EventExchange<Timed<Out>>("IntervalJoin", partitions, where);
    AddInput(node, right);
    node.make_writer = detail::MakeFactory<detail::EventWriter<K, detail::JoinSide<V, W>>>(Joined(other.origins()));
    detail::KeepState<detail::IntervalJoinState<Owned<K>, Owned<V>, Owned<W>>>(
        node, detail::Cat("IntervalJoin of ", detail::TypeName<Out>(), " from ", lower.count(), " us to ",
                          upper.count(), " us"));
    node.make = detail::MakeFactory<detail::IntervalJoinReader<K, V, W>>(lower.count(), upper.count());
    return AddOrigin<EventStream<Out>>(std::move(node));
  }

  // Runs a P, which is a KeyedProcess of your own, made as P(args...); see <millrace/keyed_process.h>. Its event timers
  // go off when the watermark reaches them. What it gives has a time: in OnRecord the record's, in OnEventTimer the
  // timer's, in OnTimer the watermark. Late records reach it like others.
  template <class P, class... Args>
  EventStream<typename P::Output> Process(const ProcessOptions& options, Args... args) const {
    using Key = Owned<K>;
    static_assert(std::is_base_of_v<detail::ProcessBase<Key>, P>,
                  "Process needs a class derived from millrace::KeyedProcess<Key, Value, Out> with the stream's key "
                  "type, std::string for std::string_view");
    using In = typename P::Record;
    static_assert(
        std::is_same_v<In, V> || std::is_same_v<In, Owned<V>> || std::is_same_v<In, typename detail::InBlock<V>::Type>,
        "the KeyedProcess takes other records than the stream's values");
    static_assert(detail::kHasOnRecord<P>,
                  "Process needs a public member void OnRecord(Context&, const Key&, const Value&, Emit&)");
    using Out = typename P::Output;
    static_assert(detail::kCanBeKept<Out> && detail::kOwnsItself<Out>,
                  "a KeyedProcess emits records that own what they point to: use std::string for std::string_view");
    using Kept = detail::EventProcessState<P>;
    const auto make = [args = std::make_shared<const std::tuple<Args...>>(std::move(args)...)] {
      return std::apply([](const Args&... each) { return P(each...); }, *args);
    };
    detail::Node node = EventExchange<Timed<Out>>("Process", options.partitions, options.where);
    detail::KeepState<Kept>(node, detail::DescribeProcess<Kept, P>(node, make), make);
    node.make = detail::MakeFactory<detail::EventProcessReader<P, K>>();
    return AddOrigin<EventStream<Out>>(std::move(node));
  }
  template <class P>
  EventStream<typename P::Output> Process(Where where = Where::current()) const {
    return this->template Process<P>(ProcessOptions{.where = where});
  }

  // The operator leaves out the records for which its function throws, and counts them; see <millrace/bad_records.h>.
  // For WithTimestamps, Map, FlatMap and Filter.
  const EventStream& SkipBadRecords(Where where = Where::current()) const {
    AcceptBad("SkipBadRecords", engine::BadRecords::kSkip, where);
    return *this;
  }
  // The same, and gives them as a stream.
  template <class Bad = BadRecord>  // a template since DStream is not yet complete here
  DStream<Bad> BadRecords(Where where = Where::current()) const {
    AcceptBad("BadRecords", engine::BadRecords::kDeadLetter, where);
    detail::Node node = Consume<Bad>(engine::OperatorKind::kNarrow, "BadRecords", where);
    node.description.side = true;
    node.make = detail::MakeFactory<detail::UnionOperator<Bad>>();
    return DStream<Bad>(graph(), graph()->Add(std::move(node)));
  }

  // ---- for operators by key that go by event time ----

  // A shuffle whose writer is EventWriter<K, V>. Who asks for it gives it state and a reader: event_exchange.h.
  template <class Out>
  detail::Node EventExchange(std::string_view name, Partitions partitions, const Where& where) const {
    static_assert(detail::kIsPair<T>, "this operator needs a stream of std::pair: Map each record to a pair first");
    static_assert(Hashable<K>, "this operator needs a millrace::Hasher for the key type; see <millrace/hash.h>");
    static_assert(Encodable<K> && Encodable<Owned<K>>,
                  "this operator needs a millrace::Codec for the key type; see <millrace/codec.h>");
    static_assert(Encodable<V> && Encodable<Owned<V>>,
                  "this operator needs a millrace::Codec for the value type; see <millrace/codec.h>");
    static_assert(
        detail::kCanBeKept<T>,
        "this operator keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    detail::Node node = Exchange<Out>(name, partitions, where);
    node.make_writer = detail::MakeFactory<detail::EventWriter<K, V>>(origins_);
    return node;
  }

  // Adds a node with a reader that is an EventExchangeReader, and gives the stream that comes out of it.
  template <class Stream>
  Stream AddOrigin(detail::Node node) const {
    const std::uint32_t id = graph()->Add(std::move(node));
    return Stream(graph(), id, std::vector<std::uint32_t>{id});
  }

 private:
  template <class U>
  friend class EventStream;

  template <class Out, class Op, class F>
  std::uint32_t AddNarrow(std::string_view name, F f, const Where& where) const {
    detail::Node node = Consume<Out>(engine::OperatorKind::kNarrow, name, where);
    node.handles_bad = requires { Op::kHandlesBad; };
    node.make = detail::MakeFactoryFor<Op>(std::make_shared<const F>(std::move(f)));
    return graph()->Add(std::move(node));
  }
  template <class Out, class Op, class F>
  EventStream<Out> Narrow(std::string_view name, F f, const Where& where) const {
    return EventStream<Out>(graph(), AddNarrow<Timed<Out>, Op>(name, std::move(f), where), origins_);
  }

  template <class U>
  void AddInput(detail::Node& node, const EventStream<U>& other) const {
    RequireSameJob(node, other);
    node.description.inputs.push_back(other.id());
  }

  std::vector<std::uint32_t> Joined(const std::vector<std::uint32_t>& others) const {
    std::vector<std::uint32_t> all = origins_;
    all.insert(all.end(), others.begin(), others.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  std::vector<std::uint32_t> origins_;
};

}  // namespace millrace
