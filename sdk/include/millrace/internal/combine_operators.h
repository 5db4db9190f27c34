// Exchange by key with combining on both sides: ReduceByKey and CountByValue. The writer is the last operator of a map
// stage and combines what one task has of a key; the reader is the root of the reduce stage and merges the tasks'
// values in map-partition order.
//
// A policy says what is combined: types Record, Key, Value (owned), and KeyOf, Start, Add, Merge. Threads and errors:
// see operator.h.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/combine_table.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/read_ahead.h"
#include "millrace/internal/shuffle_block.h"
#include "millrace/owned.h"

namespace millrace::detail {

// acc = f(acc, value), where f may take and give views or owned values.
template <class V, class F>
void Fold(Owned<V>& acc, const V& value, const F& f) {
  if constexpr (kOwnsItself<V>) {
    acc = std::invoke(f, std::move(acc), value);
  } else {
    auto&& result = std::invoke(f, V(ViewOf<V>(acc)), value);
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(result)>, Owned<V>>) {
      acc = std::forward<decltype(result)>(result);
    } else {
      Owned<V> owned = ToOwned<V>(result);  // first: the result may point into acc
      acc = std::move(owned);
    }
  }
}

template <class K, class V, class F>
struct ReducePolicy {
  using Record = std::pair<K, V>;
  using Key = K;
  using Value = Owned<V>;
  const F& f;

  static const K& KeyOf(const Record& record) { return record.first; }
  static Value Start(const Record& record) { return ToOwned<V>(record.second); }
  void Add(Value& acc, const Record& record) const { Fold<V>(acc, record.second, f); }
  void Merge(Value& acc, const Value& more) const { Fold<V>(acc, ViewOf<V>(more), f); }
};

template <class T>
struct CountPolicy {
  using Record = T;
  using Key = T;
  using Value = std::uint64_t;

  static const T& KeyOf(const Record& record) { return record; }
  static Value Start(const Record&) { return 1; }
  static void Add(Value& acc, const Record&) { ++acc; }
  static void Merge(Value& acc, Value more) { acc += more; }
};

template <class Policy>
class CombineWriter : public Consumer<typename Policy::Record> {
  using Record = typename Policy::Record;
  using Key = typename Policy::Key;
  using Table = CombineTable<Owned<Key>, typename Policy::Value>;

 public:
  CombineWriter(const OperatorSetup& setup, Policy policy) : Consumer<Record>(setup), policy_(policy) {}

  void Push(std::span<const Record> chunk) override {
    this->Enter();
    std::array<std::uint64_t, engine::kChunkRecords> hashes;
    for (std::size_t i = 0; i < chunk.size(); ++i) hashes[i] = HashOf(Policy::KeyOf(chunk[i]));
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      if (i + 2 * kAhead < chunk.size()) table_.PrefetchSlot(hashes[i + 2 * kAhead]);
      if (i + kAhead < chunk.size()) table_.PrefetchEntry(hashes[i + kAhead]);
      const Record& record = chunk[i];
      table_.Update(
          hashes[i], Policy::KeyOf(record),
          [&] {
            return typename Table::Entry{hashes[i], ToOwned<Key>(Policy::KeyOf(record)), policy_.Start(record)};
          },
          [&](typename Policy::Value& value) { policy_.Add(value, record); });
    }
  }

  void Finish() override {
    this->Enter();
    const engine::OperatorDescription& description = *this->setup().description;
    PartitionBlocks blocks(description.partitions);
    for (const typename Table::Entry& entry : table_.entries()) {
      blocks.Add(PartitionOf(entry.hash, description), entry.key, entry.value);
    }
    table_.Release();
    blocks.Give(description.id, *this->setup().output);
  }

 private:
  static constexpr std::size_t kAhead = 8;  // records between asking for a slot, for its entry, and using them

  const Policy policy_;
  Table table_;
};

// A key as it lies in a block: text as a view, since blocks live until the task has finished; what has no view form is
// owned.
template <class T>
struct InBlock {
  using Type = Owned<T>;
};
template <>
struct InBlock<std::string> {
  using Type = std::string_view;
};
template <>
struct InBlock<std::string_view> {
  using Type = std::string_view;
};
template <class A, class B>
struct InBlock<std::pair<A, B>> {
  using Type = std::pair<typename InBlock<A>::Type, typename InBlock<B>::Type>;
};
template <class... Ts>
struct InBlock<std::tuple<Ts...>> {
  using Type = std::tuple<typename InBlock<Ts>::Type...>;
};

// The owned form of such a key.
template <class K>
Owned<K> OwnKey(typename InBlock<K>::Type&& key) {
  if constexpr (std::is_same_v<typename InBlock<K>::Type, Owned<K>>) {
    return std::move(key);
  } else {
    return ToOwned<typename InBlock<K>::Type>(key);
  }
}

// Reads the records (key, V) of a block into a table by key: start(V&&) makes the value of a key that is new,
// add(value, V&&) changes that of one that is there.
template <class V, class Table, class Start, class Add>
void MergeBlock(std::string_view data, Table& table, const Start& start, const Add& add) {
  using BlockKey = decltype(Table::Entry::key);
  ReadAhead<BlockKey, V>(data, table, [&](std::uint64_t hash, BlockKey&& key, V&& value) {
    table.Update(
        hash, key,
        [&] {
          return typename Table::Entry{hash, std::move(key), start(std::move(value))};
        },
        [&](auto& acc) { add(acc, std::move(value)); });
  });
}
// The same for values that map tasks have combined.
template <class Policy, class Table>
void MergeCombined(std::string_view data, Table& table, const Policy& policy) {
  using Value = typename Policy::Value;
  MergeBlock<Value>(
      data, table, [](Value&& value) { return std::move(value); },
      [&](Value& acc, Value&& value) { policy.Merge(acc, value); });
}

// Gives the entries of such a table away, in the order in which their keys came.
template <class K, class Table, class Out>
void GiveEntries(Table& table, Out& out) {
  for (auto& entry : table.entries()) out.Add(OwnKey<K>(std::move(entry.key)), std::move(entry.value));
  out.Flush();
  table.Release();
}

template <class Policy>
class CombineReader : public Producer<std::pair<Owned<typename Policy::Key>, typename Policy::Value>> {
  using Key = typename Policy::Key;
  using Value = typename Policy::Value;
  using Table = CombineTable<typename InBlock<Key>::Type, Value>;

 public:
  CombineReader(const OperatorSetup& setup, Policy policy)
      : Producer<std::pair<Owned<Key>, Value>>(setup), policy_(policy) {}

  void Block(std::string_view data) override {
    this->Enter();
    MergeCombined(data, table_, policy_);
  }

  void Finish() override {
    this->Enter();
    GiveEntries<Key>(table_, this->out_);
  }

 private:
  const Policy policy_;
  Table table_;
};

}  // namespace millrace::detail
