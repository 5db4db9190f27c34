// Whole batches at once: Transform, TransformWith, SortByKey, Top.
//
//   lines.Transform([](const DStream<std::string_view>& s) { return s.Filter(IsClick).Map(ParseClick); })
//   sales.Transform<Report>([](const BatchContext& batch, std::span<const Sale> sales, auto&& emit) {
//     emit(MakeReport(batch.time, sales));
//   })
//
// Transform has two forms. With a function of the stream it is composition: the function is called once, while the job
// is built, and what it gives is what Transform gives; a chain of operators becomes a thing with a name. With a
// function of a batch, it is called in every batch, also in an empty one, with all records of the batch.
//
// That is not how Spark does it: there a function runs on the driver, for each batch, and gives a new plan. Here the
// plan is fixed, and nothing of the user's runs on the batch clock: the function of a batch runs in a task, on a
// worker, after what it needs and before what needs it. What Spark's users write it for (joining each batch with
// reference data that changes) is JoinTable and WithBroadcast (<millrace/join_dstream.h>).
//
// The function of a batch has one task's memory and one task's speed: do first what can be done in parallel. It must
// give the same for the same records and batch.time, for it is called again after failures. Errors: what it throws
// fails the attempt.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/event_time_dstream.h"
#include "millrace/internal/emitted_type.h"
#include "millrace/internal/transform_operators.h"

namespace millrace {

template <class T>
class TransformOperations : public TimeOperations<T> {
  using Where = std::source_location;

 public:
  using TimeOperations<T>::TimeOperations;

  // f(const DStream<T>&), once; or f(const BatchContext&, std::span<const T>), which gives a range of records, or takes
  // an emitter as third argument, for every batch. What is emitted is of type U, or T if that is left out.
  template <class U = void, class F>
  auto Transform(F f, Where where = Where::current()) const {
    if constexpr (std::is_invocable_v<F&, const DStream<T>&>) {
      return std::invoke(f, DStream<T>(this->graph(), this->id()));
    } else {
      static_assert(Encodable<T>, "Transform needs a millrace::Codec for this record type; see <millrace/codec.h>");
      using Out = detail::EmittedOfBatch<U, T, F, std::span<const T>>;
      return AddTransform<Out>("Transform", std::move(f), where);
    }
  }

  // The same with the records of two streams: f(const DStream<T>&, const DStream<X>&), or f(const BatchContext&,
  // std::span<const T>, std::span<const X>[, emit]). Both streams are of one job and give results equally often.
  template <class U = void, class X, class F>
  auto TransformWith(const DStream<X>& other, F f, Where where = Where::current()) const {
    if constexpr (std::is_invocable_v<F&, const DStream<T>&, const DStream<X>&>) {
      this->RequireSameJob(detail::NewNode<T>(engine::OperatorKind::kNarrow, "TransformWith", {}, where), other);
      return std::invoke(f, DStream<T>(this->graph(), this->id()), other);
    } else {
      static_assert(Encodable<T> && Encodable<X>,
                    "TransformWith needs a millrace::Codec for both record types; see <millrace/codec.h>");
      using Out = detail::EmittedOfBatch<U, T, F, std::span<const T>, std::span<const X>>;
      detail::Node node = this->template TwoSided<Out>("TransformWith", other, 1, where);
      node.runs_empty = true;
      node.make_writer = detail::MakeFactory<detail::GatherSidesWriter<T, X>>();
      using Op = detail::TransformWithReader<T, X, Out, F>;
      node.make = detail::MakeFactoryFor<Op>(std::make_shared<const F>(std::move(f)));
      return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
    }
  }

  // The records of the batch in the order of their keys, in one partition; records of one key as they came. `less` is
  // called as less(key, key).
  template <class Less = std::less<>>
  DStream<T> SortByKey(Less less = {}, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T>, "SortByKey needs a stream of std::pair: Map each record to a pair first");
    static_assert(Encodable<T>, "SortByKey needs a millrace::Codec for this record type; see <millrace/codec.h>");
    auto sort = [less = std::move(less)](std::span<const T> records, Emitter<T>& emit) {
      std::vector<const T*> sorted;
      sorted.reserve(records.size());
      for (const T& record : records) sorted.push_back(&record);
      std::stable_sort(sorted.begin(), sorted.end(),
                       [&](const T* a, const T* b) -> bool { return std::invoke(less, a->first, b->first); });
      for (const T* record : sorted) emit(*record);
    };
    return AddTransform<T>("SortByKey", std::move(sort), where);
  }

  // The `n` largest records of the batch, largest first, in one partition; of equal ones those that came first. `less`
  // is called as less(record, record). Each map task sends no more than n.
  template <class Less = std::less<>>
  DStream<Owned<T>> Top(std::size_t n, Less less = {}, Where where = Where::current()) const {
    static_assert(Encodable<Owned<T>>, "Top needs a millrace::Codec for this record type; see <millrace/codec.h>");
    static_assert(detail::kCanBeKept<T>,
                  "Top keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    static_assert(std::is_invocable_r_v<bool, const Less&, const Owned<T>&, const Owned<T>&>,
                  "Top needs a function callable, as const, as less(record, record), which gives a bool");
    detail::Node node = this->template Exchange<Owned<T>>("Top", 1, where);
    node.description.combine = true;
    const auto shared = std::make_shared<const Less>(std::move(less));
    node.make_writer = [shared, n](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::TopWriter<T, Less>>(setup, *shared, n);
    };
    node.make = [shared, n](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::TopReader<T, Less>>(setup, *shared, n);
    };
    return DStream<Owned<T>>(this->graph(), this->graph()->Add(std::move(node)));
  }

 private:
  template <class Out, class F>
  DStream<Out> AddTransform(std::string_view name, F f, const Where& where) const {
    detail::Node node = this->template Exchange<Out>(name, 1, where);
    node.runs_empty = true;
    node.make_writer = detail::MakeFactory<detail::RepartitionWriter<T>>();
    node.make = detail::MakeFactoryFor<detail::TransformReader<T, Out, F>>(std::make_shared<const F>(std::move(f)));
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
};

}  // namespace millrace
