// The operators that need no exchange: Map, FlatMap, Filter, MapPartitions, Union. One object lives for one task.
//
// User functions are held by the graph, shared by all tasks and called as const. Threads and errors: see operator.h.
#pragma once

#include <cstddef>
#include <functional>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/batch_context.h"
#include "millrace/emitter.h"
#include "millrace/internal/bad_record_operator.h"
#include "millrace/internal/emitted_type.h"
#include "millrace/internal/keyed_batch.h"
#include "millrace/internal/operator.h"
#include "millrace/owned.h"

namespace millrace::detail {

template <class In, class Out, class F>
class MapOperator : public RecordOperator<In, Out> {
 public:
  MapOperator(const OperatorSetup& setup, const F& f) : RecordOperator<In, Out>(setup), f_(f) {}

  void Push(std::span<const In> chunk) override {
    this->Enter();
    const auto map = [this](const In& record) { this->out_.Add(std::invoke(f_, record)); };
    if (this->tolerant()) [[unlikely]]
      return this->PushEach(chunk, map);
    for (const In& record : chunk) map(record);
    this->out_.Flush();
  }

 private:
  const F& f_;
};

// Calls f(inputs..., emit), or emits what the range f(inputs...) holds.
template <class Out, class F, class... In>
void EmitAll(const F& f, Outbox<Out>& out, const In&... inputs) {
  Emitter<Out> emit(out);
  if constexpr (std::is_invocable_v<const F&, const In&..., Emitter<Out>&>) {
    std::invoke(f, inputs..., emit);
  } else {
    using Result = std::invoke_result_t<const F&, const In&...>;
    Result&& range = std::invoke(f, inputs...);
    // The elements of a container that f made for us are ours to move from; those of a view are not.
    constexpr bool kOurs = !std::is_lvalue_reference_v<Result> && !std::ranges::view<std::remove_cvref_t<Result>>;
    for (auto&& record : range) {
      if constexpr (kOurs && std::is_lvalue_reference_v<decltype(record)>) {
        emit(std::move(record));
      } else {
        emit(std::forward<decltype(record)>(record));
      }
    }
  }
}

template <class In, class Out, class F>
class FlatMapOperator : public RecordOperator<In, Out> {
 public:
  FlatMapOperator(const OperatorSetup& setup, const F& f) : RecordOperator<In, Out>(setup), f_(f) {}

  void Push(std::span<const In> chunk) override {
    this->Enter();
    const auto map = [this](const In& record) { EmitAll<Out>(f_, this->out_, record); };
    if (this->tolerant()) [[unlikely]]
      return this->PushEach(chunk, map);
    for (const In& record : chunk) map(record);
    this->out_.Flush();
  }

 private:
  const F& f_;
};

// Small records are copied together into full chunks. Large ones are not copied at all: runs of records that pass are
// handed on in place.
template <class T, class F>
class FilterOperator : public RecordOperator<T, T> {
 public:
  FilterOperator(const OperatorSetup& setup, const F& f) : RecordOperator<T, T>(setup), f_(f) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    if (this->tolerant()) [[unlikely]] {
      PushIf(chunk, [&](std::size_t i) {
        bool passes = false;
        this->Try(chunk, i, [&] { passes = std::invoke(f_, chunk[i]); });
        return passes;
      });
      this->GiveBad();
    } else {
      PushIf(chunk, [&](std::size_t i) -> bool { return std::invoke(f_, chunk[i]); });
    }
  }

 private:
  static constexpr bool kCheapToCopy =
      std::is_trivially_copy_constructible_v<T> && std::is_trivially_destructible_v<T> && sizeof(T) <= 64;

  template <class Passes>
  void PushIf(std::span<const T> chunk, const Passes& passes) {
    if constexpr (kCheapToCopy) {
      for (std::size_t i = 0; i < chunk.size(); ++i) {
        if (passes(i)) this->out_.Add(chunk[i]);
      }
      this->out_.Flush();
    } else {
      std::size_t begin = 0;
      for (std::size_t i = 0; i < chunk.size(); ++i) {
        if (passes(i)) continue;
        this->out_.Forward(chunk.subspan(begin, i - begin));
        begin = i + 1;
      }
      this->out_.Forward(chunk.subspan(begin));
    }
  }

  const F& f_;
};

// Records that a task keeps until its partition is complete, and the span of T that the user's function sees of them.
template <class T>
class KeptRecords {
 public:
  void Add(std::span<const T> chunk) {
    for (const T& record : chunk) kept_.Emplace(OwnedTraits<T>::Own(record));
  }

  template <class F>
  void Show(const F& f) {
    if constexpr (kOwnsItself<T>) {
      f(kept_.records());
    } else {
      RecordArray<T> views;
      views.Reserve(kept_.size());
      for (const Owned<T>& record : kept_.records()) views.Emplace(OwnedTraits<T>::View(record));
      f(views.records());
    }
  }
  void Release() { kept_.Release(); }

 private:
  RecordArray<Owned<T>> kept_;
};

template <class In, class Out, class F>
class MapPartitionsOperator : public Producer<Out, Consumer<In>> {
 public:
  MapPartitionsOperator(const OperatorSetup& setup, const F& f) : Producer<Out, Consumer<In>>(setup), f_(f) {}

  void Push(std::span<const In> chunk) override {
    this->Enter();
    rows_.Add(chunk);
  }

  void Finish() override {
    this->Enter();
    rows_.Show([this](std::span<const In> rows) {
      if constexpr (kTakesBatch<F, Out, std::span<const In>>) {
        EmitAll<Out>(f_, this->out_, BatchOf(*this->setup().task), rows);
      } else {
        EmitAll<Out>(f_, this->out_, rows);
      }
      this->out_.Flush();
    });
    rows_.Release();
  }

 private:
  const F& f_;
  KeptRecords<In> rows_;
};

template <class T>
class UnionOperator : public Producer<T, Consumer<T>> {
 public:
  using Producer<T, Consumer<T>>::Producer;
  void Push(std::span<const T> chunk) override { this->out_.Forward(chunk); }
};

}  // namespace millrace::detail
