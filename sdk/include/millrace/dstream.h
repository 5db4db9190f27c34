// DStream<T>: an unbounded stream of records of type T, computed batch by batch. Operators describe what shall become
// of each batch; nothing runs while the job body runs.
//
//   ctx.TextFiles({.directory = "/var/log/app"})                              // DStream<std::string_view>
//      .Filter([](std::string_view line) { return line.starts_with("ERROR"); })
//      .Count()                                                               // DStream<std::uint64_t>
//      .Print();
//
// A DStream is a small handle: copy it, branch from it as often as you like; a stream with several consumers is
// computed once. User functions are called on many threads at once, as const: capture by value, put large tables behind
// std::shared_ptr<const T>. Records reach a function by const reference; views in them (std::string_view) are valid
// until it returns and, when it gives a view into its input, until the next operator that keeps records has copied
// them. Keep text as std::string. Errors: std::invalid_argument at plan time, with the operator, its place, the reason
// and the remedy; what user functions throw at run time fails the attempt of the task. Uid and Name apply to the
// operator that the stream comes out of. Streams of pairs have more: <millrace/pair_dstream.h>. Outputs:
// <millrace/outputs.h>. Thread rule: one thread builds a graph.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/bad_records.h"
#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/combine_operators.h"
#include "millrace/internal/emitted_type.h"
#include "millrace/internal/exchange_operators.h"
#include "millrace/internal/narrow_operators.h"
#include "millrace/lookup_dstream.h"
#include "millrace/outputs.h"
#include "millrace/owned.h"
#include "millrace/storage_level.h"

namespace millrace {

template <class T>
class DStream : public LookupOperations<T> {
  static_assert(std::is_object_v<T> && std::is_same_v<T, std::remove_cv_t<T>>, "a record is a plain value type");
  using Where = std::source_location;
  using Partitions = std::optional<std::int64_t>;

 public:
  using Record = T;
  using LookupOperations<T>::LookupOperations;

  // Makes what the operator keeps findable in the next version of the job. Unique within the job.
  const DStream& Uid(std::string_view uid) const {
    this->SetUid(uid);
    return *this;
  }
  // What plans, pages and errors call the operator, in place of "Map".
  const DStream& Name(std::string_view name) const {
    this->SetName(name);
    return *this;
  }

  // Each record becomes f(record). f may also be a pointer to a member: Map(&Click::user).
  template <class F>
  auto Map(F f, Where where = Where::current()) const {
    static_assert(std::is_invocable_v<const F&, const T&>, "Map needs a function callable, as const, as f(record)");
    using Out = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    static_assert(!std::is_void_v<Out>, "Map needs a function that gives something; for side effects use ForEachBatch");
    return this->template AddNarrow<Out, detail::MapOperator<T, Out, F>>("Map", std::move(f), where);
  }

  // Each record becomes any number of records: those that f(record, emit) emits, or those in the range that f(record)
  // gives. What is emitted is of type U: FlatMap<U>(f); left out, the range's element type, or T for an emitting
  // function.
  template <class U = void, class F>
  auto FlatMap(F f, Where where = Where::current()) const {
    using Out = detail::Emitted<U, T, F, T>;
    return this->template AddNarrow<Out, detail::FlatMapOperator<T, Out, F>>("FlatMap", std::move(f), where);
  }

  // Keeps the records for which f(record) is true.
  template <class F>
  DStream<T> Filter(F f, Where where = Where::current()) const {
    static_assert(std::is_invocable_r_v<bool, const F&, const T&>,
                  "Filter needs a function callable, as const, as f(record), which gives a bool");
    return this->template AddNarrow<T, detail::FilterOperator<T, F>>("Filter", std::move(f), where);
  }

  // Gives f all records of a partition at once, as f(std::span<const T>) or f(const BatchContext&, std::span<const T>),
  // also when there are none; f emits or gives a range, as in FlatMap. The partition must fit in memory.
  template <class U = void, class F>
  auto MapPartitions(F f, Where where = Where::current()) const {
    static_assert(
        detail::kCanBeKept<T>,
        "MapPartitions keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    return AddPartitions<detail::EmittedOfBatch<U, T, F, std::span<const T>>>("MapPartitions", std::move(f), where);
  }

  // One record a partition: all its records, also when there are none.
  auto Glom(Where where = Where::current()) const {
    static_assert(detail::kCanBeKept<T>,
                  "Glom keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    using Out = std::vector<Owned<T>>;
    const auto glom = [](std::span<const T> records, Emitter<Out>& emit) {
      Out all;
      all.reserve(records.size());
      for (const T& record : records) all.push_back(ToOwned<T>(record));
      emit(std::move(all));
    };
    return AddPartitions<Out>("Glom", glom, where);
  }

  // All records of both streams, which must be of one job. No exchange: partitions stay what they were. More streams
  // at once: JobContext::Union.
  DStream<T> Union(const DStream<T>& other, Where where = Where::current()) const {
    const DStream<T> both[] = {*this, other};
    return UnionOf(both, where);
  }

  // Deals the records out evenly to this many partitions, in turn.
  DStream<T> Repartition(std::int64_t partitions, Where where = Where::current()) const {
    static_assert(Encodable<T>, "Repartition needs a millrace::Codec for this record type; see <millrace/codec.h>");
    detail::Node node = this->template Exchange<T>("Repartition", partitions, where);
    node.make_writer = detail::MakeFactory<detail::RepartitionWriter<T>>();
    node.make = detail::MakeFactory<detail::RepartitionReader<T>>();
    return DStream<T>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // One record a batch: how many records it has; 0 for an empty batch.
  DStream<std::uint64_t> Count(Where where = Where::current()) const {
    detail::Node node = this->template Exchange<std::uint64_t>("Count", 1, where);
    node.description.combine = true;
    node.runs_empty = true;
    node.make_writer = detail::MakeFactory<detail::CountWriter<T>>();
    node.make = detail::MakeFactory<detail::CountReader>();
    return DStream<std::uint64_t>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // Each different record and how often the batch has it.
  auto CountByValue(Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(Hashable<T>, "CountByValue needs a millrace::Hasher for this record type; see <millrace/hash.h>");
    static_assert(Encodable<Owned<T>>,
                  "CountByValue needs a millrace::Codec for this record type; see <millrace/codec.h>");
    static_assert(
        detail::kCanBeKept<T>,
        "CountByValue keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    using Policy = detail::CountPolicy<T>;
    using Out = std::pair<Owned<T>, std::uint64_t>;
    detail::Node node = this->template Exchange<Out>("CountByValue", partitions, where);
    node.description.combine = true;
    node.make_writer = detail::MakeFactory<detail::CombineWriter<Policy>>(Policy{});
    node.make = detail::MakeFactory<detail::CombineReader<Policy>>(Policy{});
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // Each different record of the batch once.
  DStream<Owned<T>> Distinct(Partitions partitions = {}, Where where = Where::current()) const {
    static_assert(Hashable<T>, "Distinct needs a millrace::Hasher for this record type; see <millrace/hash.h>");
    static_assert(Encodable<Owned<T>>, "Distinct needs a millrace::Codec for this record type; see <millrace/codec.h>");
    static_assert(detail::kCanBeKept<T>,
                  "Distinct keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    using Policy = detail::DistinctPolicy<T>;
    detail::Node node = this->template Exchange<Owned<T>>("Distinct", partitions, where);
    node.description.combine = true;
    node.make_writer = detail::MakeFactory<detail::CombineWriter<Policy>>(Policy{});
    node.make = detail::MakeFactory<detail::DistinctReader<T>>();
    return DStream<Owned<T>>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // At most one record a batch: all its records combined by f(T, T), which should be associative; none for an empty
  // batch.
  template <class F>
  auto Reduce(F f, Where where = Where::current()) const {
    static_assert(Encodable<Owned<T>>, "Reduce needs a millrace::Codec for this record type; see <millrace/codec.h>");
    static_assert(detail::kCanBeKept<T>,
                  "Reduce keeps a record, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    static_assert(std::is_invocable_v<const F&, T, const T&>,
                  "Reduce needs a function callable, as const, as f(accumulated, record), which gives the new value");
    detail::Node node = this->template Exchange<Owned<T>>("Reduce", 1, where);
    node.description.combine = true;
    const auto shared = std::make_shared<const F>(std::move(f));
    node.make_writer = detail::MakeFactoryFor<detail::ReduceWriter<T, F>>(shared);
    node.make = detail::MakeFactoryFor<detail::ReduceReader<T, F>>(shared);
    return DStream<Owned<T>>(this->graph(), this->graph()->Add(std::move(node)));
  }

  // Where the blocks of the exchanges that read this stream are kept; see <millrace/storage_level.h>. Cache is the same
  // with the default level.
  const DStream& Persist(StorageLevel level = StorageLevel::kMemoryOnlySer) const {
    this->graph()->ChangeNode(this->id()).storage = level;
    return *this;
  }
  const DStream& Cache() const { return Persist(); }

  // The state of the job is checkpointed at least this often: a multiple of the stream's slide. A job is checkpointed
  // as a whole, so the shortest interval of all streams and of JobContext::CheckpointInterval is everybody's.
  const DStream& Checkpoint(std::chrono::microseconds interval, Where where = Where::current()) const {
    if (interval.count() < 1) {
      detail::Refuse("Checkpoint", detail::LocationOf(where), "its interval is not positive; pass at least the slide");
    }
    this->graph()->ChangeNode(this->id()).checkpoint_us = interval.count();
    return *this;
  }

  // The operator leaves out the records for which its function throws, and counts them; see <millrace/bad_records.h>.
  const DStream& SkipBadRecords(Where where = Where::current()) const {
    this->AcceptBad("SkipBadRecords", engine::BadRecords::kSkip, where);
    return *this;
  }
  // The same, and gives them as a stream.
  DStream<BadRecord> BadRecords(Where where = Where::current()) const {
    this->AcceptBad("BadRecords", engine::BadRecords::kDeadLetter, where);
    detail::Node node = this->template Consume<BadRecord>(engine::OperatorKind::kNarrow, "BadRecords", where);
    node.description.side = true;
    node.make = detail::MakeFactory<detail::UnionOperator<BadRecord>>();
    return DStream<BadRecord>(this->graph(), this->graph()->Add(std::move(node)));
  }

 private:
  friend class JobContext;

  // Of streams of this one's job.
  DStream<T> UnionOf(std::span<const DStream<T>> streams, const Where& where) const {
    detail::Node node = detail::NewNode<T>(engine::OperatorKind::kNarrow, "Union", {}, where);
    for (const DStream<T>& stream : streams) {
      this->RequireSameJob(node, stream);
      node.description.inputs.push_back(stream.id());
    }
    node.make = detail::MakeFactory<detail::UnionOperator<T>>();
    return DStream<T>(this->graph(), this->graph()->Add(std::move(node)));
  }

  template <class Out, class F>
  DStream<Out> AddPartitions(std::string_view name, F f, const Where& where) const {
    detail::Node node = this->template Consume<Out>(engine::OperatorKind::kNarrow, name, where);
    node.runs_empty = true;
    using Op = detail::MapPartitionsOperator<T, Out, F>;
    node.make = detail::MakeFactoryFor<Op>(std::make_shared<const F>(std::move(f)));
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
};

}  // namespace millrace
