// The reduce side of Join, its outer forms and Cogroup: all values that a batch has of a key, of both streams.
//
// Keys come out in the order in which they came: map partition by map partition, in each the left stream first. Values
// of a key are paired left by left, each with all of the right, both in that order. Threads and errors: see operator.h.
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
#include "millrace/owned.h"

namespace millrace::detail {

enum class JoinKind { kInner, kLeft, kRight, kFull, kCogroup };

template <JoinKind kKind, class V, class W>
struct Joined {
  static constexpr bool kMayLackLeft = kKind == JoinKind::kRight || kKind == JoinKind::kFull;
  static constexpr bool kMayLackRight = kKind == JoinKind::kLeft || kKind == JoinKind::kFull;
  using Left = std::conditional_t<kMayLackLeft, std::optional<V>, V>;
  using Right = std::conditional_t<kMayLackRight, std::optional<W>, W>;
  using Type = std::conditional_t<kKind == JoinKind::kCogroup, std::pair<std::vector<V>, std::vector<W>>,
                                  std::pair<Left, Right>>;
};

// An owned copy of what lies in a block.
template <class T>
Owned<T> OwnedCopy(const typename InBlock<T>::Type& value) {
  return ToOwned<typename InBlock<T>::Type>(value);
}

template <JoinKind kKind, class K, class V, class W>
class JoinReader : public Producer<std::pair<Owned<K>, typename Joined<kKind, Owned<V>, Owned<W>>::Type>> {
  using Shape = Joined<kKind, Owned<V>, Owned<W>>;
  using Out = std::pair<Owned<K>, typename Shape::Type>;
  using BlockKey = typename InBlock<K>::Type;
  using Left = typename InBlock<V>::Type;
  using Right = typename InBlock<W>::Type;
  struct Values {
    std::vector<Left> left;
    std::vector<Right> right;
  };
  using Table = CombineTable<BlockKey, Values>;

 public:
  using Producer<Out>::Producer;

  void Block(std::string_view data) override {
    this->Enter();
    const BothSides sides(data);
    Read<Left>(sides.left, [](Values& values) -> std::vector<Left>& { return values.left; });
    Read<Right>(sides.right, [](Values& values) -> std::vector<Right>& { return values.right; });
  }

  void Finish() override {
    this->Enter();
    for (typename Table::Entry& entry : table_.entries()) {
      if constexpr (kKind == JoinKind::kCogroup) {
        this->out_.Add(OwnKey<K>(std::move(entry.key)), Group(entry.value));
      } else {
        Pair(entry.key, entry.value);
      }
      entry.value = {};
    }
    this->out_.Flush();
    table_.Release();
  }

 private:
  template <class Value, class Side>
  void Read(std::string_view data, const Side& side) {
    for (BlockReader block(data); block.Next();) {
      BlockKey key = Decode<BlockKey>(block.in());
      Value value = Decode<Value>(block.in());
      const std::uint64_t hash = HashOf(key);
      table_.Update(
          hash, key,
          [&] {
            typename Table::Entry entry{hash, std::move(key), {}};
            side(entry.value).push_back(std::move(value));
            return entry;
          },
          [&](Values& values) { side(values).push_back(std::move(value)); });
    }
  }

  static typename Shape::Type Group(const Values& values) {
    typename Shape::Type group;
    if constexpr (kKind == JoinKind::kCogroup) {
      group.first.reserve(values.left.size());
      group.second.reserve(values.right.size());
      for (const auto& value : values.left) group.first.push_back(OwnedCopy<V>(value));
      for (const auto& value : values.right) group.second.push_back(OwnedCopy<W>(value));
    }
    return group;
  }

  void Pair(const BlockKey& key, const Values& values) {
    if constexpr (Shape::kMayLackRight) {
      if (values.right.empty()) {
        for (const auto& left : values.left) Add(key, OwnedCopy<V>(left), std::nullopt);
      }
    }
    if constexpr (Shape::kMayLackLeft) {
      if (values.left.empty()) {
        for (const auto& right : values.right) Add(key, std::nullopt, OwnedCopy<W>(right));
      }
    }
    for (const auto& left : values.left) {
      for (const auto& right : values.right) Add(key, OwnedCopy<V>(left), OwnedCopy<W>(right));
    }
  }

  template <class A, class B>
  void Add(const BlockKey& key, A&& left, B&& right) {
    this->out_.Add(OwnedCopy<K>(key), typename Shape::Type(std::forward<A>(left), std::forward<B>(right)));
  }

  Table table_;
};

}  // namespace millrace::detail
