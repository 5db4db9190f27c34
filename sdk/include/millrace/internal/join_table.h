// JoinTable: a table that one stream changes and the records of another are looked up in.
//
// The table is keyed state. Of each batch first all changes are made, in the order of map partitions and of the records
// in each; then the records are looked up, in the same order. So the answer depends on the input alone: computed again,
// a batch sees the same table. Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/combine_operators.h"
#include "millrace/internal/join_sides.h"
#include "millrace/internal/state_table.h"
#include "millrace/internal/std_types.h"
#include "millrace/owned.h"

namespace millrace::detail {

// The value type of a table that is changed with U: U itself, or what is in it if it is an optional.
template <class U>
struct TableValue {
  using Type = U;
};
template <class U>
struct TableValue<std::optional<U>> {
  using Type = U;
};

template <class Key, class Value>
struct TableState : OperatorState {
  explicit TableState(const StateSetup& setup) : OperatorState(setup), table(*this, "table") {}
  StateTable<Key, Value> table;
};

// Left: pairs of K and V as they came; right: pairs of K and U.
template <class K, class V, class U, bool kOuter>
class TableReader
    : public Producer<
          std::pair<K, std::pair<V, std::conditional_t<kOuter, std::optional<Owned<typename TableValue<U>::Type>>,
                                                       Owned<typename TableValue<U>::Type>>>>> {
  using Value = Owned<typename TableValue<U>::Type>;
  using Found = std::conditional_t<kOuter, std::optional<Value>, Value>;
  using Out = std::pair<K, std::pair<V, Found>>;
  using BlockKey = typename InBlock<K>::Type;
  using State = TableState<Owned<K>, Value>;

 public:
  using Producer<Out>::Producer;

  void Block(std::string_view data) override {
    this->Enter();
    const BothSides sides(data);
    records_.push_back(sides.left);  // blocks live until the task has finished
    for (BlockReader block(sides.right); block.Next();) {
      const BlockKey key = Decode<BlockKey>(block.in());
      Change(key, Decode<Owned<U>>(block.in()));
    }
  }

  void Finish() override {
    this->Enter();
    for (const std::string_view data : records_) {
      for (BlockReader block(data); block.Next();) {
        K key = Decode<K>(block.in());
        V value = Decode<V>(block.in());
        LookUp(std::move(key), std::move(value));
      }
    }
    this->out_.Flush();
    records_ = {};
  }

 private:
  auto& table() { return this->template StateAs<State>().table; }

  void Change(const BlockKey& key, Owned<U> change) {
    const std::uint64_t hash = HashOf(key);
    auto* const entry = table().Find(hash, key);
    if constexpr (kIsOptional<U>) {
      if (!change) {
        if (entry != nullptr) table().Erase(*entry);
        return;
      }
      Put(hash, key, entry, *std::move(change));
    } else {
      Put(hash, key, entry, std::move(change));
    }
  }
  template <class Entry>
  void Put(std::uint64_t hash, const BlockKey& key, Entry* entry, Value value) {
    if (entry == nullptr) {
      table().FindOrAdd(hash, key, [&] { return std::move(value); });
    } else {
      entry->value = std::move(value);
      table().Changed(*entry);
    }
  }

  void LookUp(K key, V value) {
    const auto* const entry = table().Find(HashOf(key), key);
    if constexpr (kOuter) {
      Found found;
      if (entry != nullptr) found.emplace(entry->value);
      this->out_.Add(std::move(key), std::pair<V, Found>(std::move(value), std::move(found)));
    } else {
      if (entry != nullptr) this->out_.Add(std::move(key), std::pair<V, Found>(std::move(value), entry->value));
    }
  }

  std::vector<std::string_view> records_;
};

}  // namespace millrace::detail
