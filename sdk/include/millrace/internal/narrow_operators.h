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

#include "millrace/emitter.h"
#include "millrace/internal/operator.h"
#include "millrace/owned.h"

namespace millrace::detail {

template <class In, class Out, class F>
class MapOperator : public Producer<Out, Consumer<In>> {
 public:
  MapOperator(const OperatorSetup& setup, const F& f) : Producer<Out, Consumer<In>>(setup), f_(f) {}

  void Push(std::span<const In> chunk) override {
    this->Enter();
    for (const In& record : chunk) this->out_.Add(std::invoke(f_, record));
    this->out_.Flush();
  }

 private:
  const F& f_;
};

// Calls f(input, emit), or emits what the range f(input) holds.
template <class Out, class In, class F>
void EmitAll(const F& f, const In& input, Outbox<Out>& out) {
  Emitter<Out> emit(out);
  if constexpr (std::is_invocable_v<const F&, const In&, Emitter<Out>&>) {
    std::invoke(f, input, emit);
  } else {
    using Result = std::invoke_result_t<const F&, const In&>;
    Result&& range = std::invoke(f, input);
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
class FlatMapOperator : public Producer<Out, Consumer<In>> {
 public:
  FlatMapOperator(const OperatorSetup& setup, const F& f) : Producer<Out, Consumer<In>>(setup), f_(f) {}

  void Push(std::span<const In> chunk) override {
    this->Enter();
    for (const In& record : chunk) EmitAll<Out>(f_, record, this->out_);
    this->out_.Flush();
  }

 private:
  const F& f_;
};

// Small records are copied together into full chunks. Large ones are not copied at all: runs of records that pass are
// handed on in place.
template <class T, class F>
class FilterOperator : public Producer<T, Consumer<T>> {
 public:
  FilterOperator(const OperatorSetup& setup, const F& f) : Producer<T, Consumer<T>>(setup), f_(f) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    if constexpr (kCheapToCopy) {
      for (const T& record : chunk) {
        if (std::invoke(f_, record)) this->out_.Add(record);
      }
      this->out_.Flush();
    } else {
      std::size_t begin = 0;
      for (std::size_t i = 0; i < chunk.size(); ++i) {
        if (std::invoke(f_, chunk[i])) continue;
        this->out_.Forward(chunk.subspan(begin, i - begin));
        begin = i + 1;
      }
      this->out_.Forward(chunk.subspan(begin));
    }
  }

 private:
  static constexpr bool kCheapToCopy =
      std::is_trivially_copy_constructible_v<T> && std::is_trivially_destructible_v<T> && sizeof(T) <= 64;

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
      EmitAll<Out>(f_, rows, this->out_);
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
