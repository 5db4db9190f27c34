// What CombineByKey, AggregateByKey and FoldByKey do with the values of a key: make a combiner of the first, merge
// further values into it, merge combiners of several map tasks. Beside it the exchange that sends the values as they
// are, and Distinct. Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/internal/combine_operators.h"
#include "millrace/internal/exchange_operators.h"

namespace millrace::detail {

// The three functions, in the graph.
template <class Create, class MergeValue, class MergeCombiners>
struct CombineFunctions {
  Create create;
  MergeValue merge_value;
  MergeCombiners merge_combiners;
};

template <class K, class V, class C, class Functions>
struct AggregatePolicy {
  using Record = std::pair<K, V>;
  using Key = K;
  using Value = C;
  const Functions& f;

  static const K& KeyOf(const Record& record) { return record.first; }
  Value Start(const Record& record) const { return StartWith(record.second); }
  void Add(Value& acc, const Record& record) const { AddValue(acc, record.second); }
  void Merge(Value& acc, Value& more) const {
    acc = Value(std::invoke(f.merge_combiners, std::move(acc), std::move(more)));
  }

  Value StartWith(const V& value) const {
    using Made = std::remove_cvref_t<decltype(std::invoke(f.create, value))>;
    return ToOwned<Made>(std::invoke(f.create, value));
  }
  void AddValue(Value& acc, const V& value) const { acc = Value(std::invoke(f.merge_value, std::move(acc), value)); }
};

// Combines values that come as they are: no map task has merged any.
template <class Policy, class V>
class ValuesReader : public Producer<std::pair<Owned<typename Policy::Key>, typename Policy::Value>> {
  using Key = typename Policy::Key;
  using Value = typename Policy::Value;
  using Table = CombineTable<typename InBlock<Key>::Type, Value>;

 public:
  ValuesReader(const OperatorSetup& setup, Policy policy)
      : Producer<std::pair<Owned<Key>, Value>>(setup), policy_(policy) {}

  void Block(std::string_view data) override {
    this->Enter();
    MergeBlock<Owned<V>>(
        data, table_, [&](const Owned<V>& value) { return policy_.StartWith(ViewOf<V>(value)); },
        [&](Value& acc, const Owned<V>& value) { policy_.AddValue(acc, ViewOf<V>(value)); });
  }

  void Finish() override {
    this->Enter();
    GiveEntries<Key>(table_, this->out_);
  }

 private:
  const Policy policy_;
  Table table_;
};

// Keys alone; the bool is nothing but the codec's least.
template <class T>
struct DistinctPolicy {
  using Record = T;
  using Key = T;
  using Value = bool;

  static const T& KeyOf(const Record& record) { return record; }
  static Value Start(const Record&) { return true; }
  static void Add(Value&, const Record&) {}
};

template <class T>
class DistinctReader : public Producer<Owned<T>> {
  using BlockKey = typename InBlock<T>::Type;
  using Table = CombineTable<BlockKey, bool>;

 public:
  using Producer<Owned<T>>::Producer;

  void Block(std::string_view data) override {
    this->Enter();
    for (BlockReader block(data); block.Next();) {
      BlockKey key = Decode<BlockKey>(block.in());
      (void)Decode<bool>(block.in());
      const std::uint64_t hash = HashOf(key);
      table_.Update(
          hash, key,
          [&] {
            return typename Table::Entry{hash, std::move(key), true};
          },
          [](bool) {});
    }
  }

  void Finish() override {
    this->Enter();
    for (typename Table::Entry& entry : table_.entries()) this->out_.Add(OwnKey<T>(std::move(entry.key)));
    this->out_.Flush();
    table_.Release();
  }

 private:
  Table table_;
};

}  // namespace millrace::detail
