// Operators that have a whole batch in one task: Transform, TransformWith, SortByKey, Top.
//
// Records come in the order of map partitions and of the records in each. They lie in the task's blocks, so views in
// them need no copies. Threads and errors: see operator.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/internal/emitted_type.h"
#include "millrace/internal/join_sides.h"
#include "millrace/internal/keyed_batch.h"
#include "millrace/internal/narrow_operators.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/record_array.h"
#include "millrace/internal/shuffle_block.h"

namespace millrace::detail {

template <class T>
void ReadAll(std::string_view data, RecordArray<T>& records) {
  for (BlockReader block(data); block.Next();) records.Emplace(Decode<T>(block.in()));
}

// Calls f([batch,] records... [, emit]).
template <class Out, class F, class... Records>
void CallForBatch(const F& f, const engine::TaskContext& task, Outbox<Out>& out, const Records&... records) {
  if constexpr (kTakesBatch<F, Out, Records...>) {
    EmitAll<Out>(f, out, BatchOf(task), records...);
  } else {
    EmitAll<Out>(f, out, records...);
  }
  out.Flush();
}

template <class T, class Out, class F>
class TransformReader : public Producer<Out> {
 public:
  TransformReader(const OperatorSetup& setup, const F& f) : Producer<Out>(setup), f_(f) {}

  void Block(std::string_view data) override {
    this->Enter();
    ReadAll(data, records_);
  }
  void Finish() override {
    this->Enter();
    CallForBatch<Out>(f_, *this->setup().task, this->out_, records_.records());
    records_.Release();
  }

 private:
  const F& f_;
  RecordArray<T> records_;
};

// Sends the records of two streams to one partition.
template <class A, class B>
class GatherSidesWriter : public Consumer<EitherOf<A, B>> {
 public:
  using Consumer<EitherOf<A, B>>::Consumer;

  void Push(std::span<const EitherOf<A, B>> chunk) override {
    this->Enter();
    for (const EitherOf<A, B>& one : chunk) {
      if (one.left != nullptr) {
        blocks_.left().Add(0, *one.left);
      } else {
        blocks_.right().Add(0, *one.right);
      }
    }
  }
  void Finish() override { blocks_.Give(this->setup().description->id, *this->setup().output); }

 private:
  SideBlocks blocks_{1};
};

template <class A, class B, class Out, class F>
class TransformWithReader : public Producer<Out> {
 public:
  TransformWithReader(const OperatorSetup& setup, const F& f) : Producer<Out>(setup), f_(f) {}

  void Block(std::string_view data) override {
    this->Enter();
    const BothSides sides(data);
    ReadAll(sides.left, left_);
    ReadAll(sides.right, right_);
  }
  void Finish() override {
    this->Enter();
    CallForBatch<Out>(f_, *this->setup().task, this->out_, left_.records(), right_.records());
    left_.Release();
    right_.Release();
  }

 private:
  const F& f_;
  RecordArray<A> left_;
  RecordArray<B> right_;
};

// The n largest records so far, largest first; of equal ones those that came first.
template <class T, class Less>
class Largest {
 public:
  Largest(std::size_t n, const Less& less) : n_(n), less_(less) {}

  void Add(T record) {
    if (n_ == 0 || (full_ && !std::invoke(less_, kept_[n_ - 1], record))) return;
    kept_.push_back(std::move(record));
    if (kept_.size() >= 2 * n_ && kept_.size() >= kLeastToSort) Sort();
  }
  std::vector<T> Take() {
    Sort();
    return std::move(kept_);
  }

 private:
  static constexpr std::size_t kLeastToSort = 256;

  void Sort() {
    std::stable_sort(kept_.begin(), kept_.end(),
                     [this](const T& a, const T& b) -> bool { return std::invoke(less_, b, a); });
    if (kept_.size() > n_) kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(n_), kept_.end());
    full_ = kept_.size() == n_;
  }

  const std::size_t n_;
  const Less& less_;
  bool full_ = false;  // the first n are sorted, and what is not larger than their last is of no interest
  std::vector<T> kept_;
};

template <class T, class Less>
class TopWriter : public Consumer<T> {
 public:
  TopWriter(const OperatorSetup& setup, const Less& less, std::size_t n) : Consumer<T>(setup), largest_(n, less) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    for (const T& record : chunk) largest_.Add(ToOwned<T>(record));
  }
  void Finish() override {
    this->Enter();
    PartitionBlocks blocks(1);
    for (const Owned<T>& record : largest_.Take()) blocks.Add(0, record);
    blocks.Give(this->setup().description->id, *this->setup().output);
  }

 private:
  Largest<Owned<T>, Less> largest_;
};

template <class T, class Less>
class TopReader : public Producer<Owned<T>> {
 public:
  TopReader(const OperatorSetup& setup, const Less& less, std::size_t n)
      : Producer<Owned<T>>(setup), largest_(n, less) {}

  void Block(std::string_view data) override {
    this->Enter();
    for (BlockReader block(data); block.Next();) largest_.Add(Decode<Owned<T>>(block.in()));
  }
  void Finish() override {
    this->Enter();
    for (Owned<T>& record : largest_.Take()) this->out_.Add(std::move(record));
    this->out_.Flush();
  }

 private:
  Largest<Owned<T>, Less> largest_;
};

}  // namespace millrace::detail
