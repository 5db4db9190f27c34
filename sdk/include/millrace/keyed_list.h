// A list for every key: ListState of a keyed process (<millrace/keyed_process.h>, where it is used).
//
//   ListState<Click> recent_{*this, "recent"};
//   recent_.Append(click);
//   if (recent_.Size() > 10) recent_.DropFront(1);
//
// A list is stored in pieces of a few elements, so that appending costs the same however long it is. All calls are
// about the key that is being processed; what is written is read at once. A time to live counts for each element alone,
// from when it was appended; elements end in that order. Errors: std::logic_error outside of OnRecord and OnTimer;
// std::invalid_argument, at plan time, for refresh_on_read, which would rewrite the list.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/internal/keyed_core.h"
#include "millrace/internal/keyed_entries.h"
#include "millrace/internal/keyed_expiry.h"
#include "millrace/internal/state_table.h"
#include "millrace/internal/text.h"
#include "millrace/internal/type_name.h"
#include "millrace/owned.h"

namespace millrace {

namespace detail {
// Where a list begins and ends. Elements are numbered from 0 on, for as long as the list is not empty.
struct ListBounds {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
}  // namespace detail

template <class Key, class T>
class KeyedList : private detail::Expiring {
  static_assert(Encodable<T>, "a ListState needs a millrace::Codec for its type; see <millrace/codec.h>");
  static_assert(detail::kCanBeKept<T> && detail::kOwnsItself<T>,
                "a ListState is kept from batch to batch, and this type holds views: use owned text");

 public:
  KeyedList(const detail::ProcessBase<Key>& process, std::string_view name, const StateOptions& options = {})
      : core_(process.core()),
        name_(core_.Describe("ListState", name, detail::TypeName<T>(), options)),
        lists_(core_.owner(), name_),
        pieces_(core_.owner(), name_ + "/pieces"),
        expiry_(core_.owner(), name_, options) {
    if (options.refresh_on_read) {
      throw std::invalid_argument(detail::Cat("ListState '", name, "' cannot refresh on read: leave that option out"));
    }
    core_.AddExpiring(*this);
  }
  KeyedList(const KeyedList&) = delete;
  KeyedList& operator=(const KeyedList&) = delete;

  std::uint64_t Size() {
    const Entry* list = Living();
    return list == nullptr ? 0 : list->value.value.end - list->value.value.begin;
  }
  bool Empty() { return Size() == 0; }

  void Append(T value) {
    Entry* list = Living();
    if (list == nullptr) {
      list = &lists_.FindOrAdd(core_.hash(), core_.key(),
                               [] { return detail::Stamped<detail::ListBounds>(detail::ListBounds()); });
    }
    const std::uint64_t at = list->value.value.end++;
    Piece& piece = pieces_.Change(core_.place(), PieceName(at / kPiece), [] { return Piece(); });
    piece.emplace_back(expiry_.EndOf(core_.now_us), std::move(value));
    const std::int64_t first_ends_us = list->value.stamp.ends_us;
    expiry_.Renew(list->value.stamp, core_.now_us, list->hash, [&] { return list->key; });
    if (first_ends_us != 0) list->value.stamp.ends_us = first_ends_us;
    lists_.Changed(*list);
  }
  // The list becomes this one.
  void Assign(std::vector<T> values) {
    Clear();
    for (T& value : values) Append(std::move(value));
  }

  // Calls f(const T&) for every element, in order. f must not use this state.
  template <class F>
  void ForEach(const F& f) {
    const Entry* list = Living();
    if (list == nullptr) return;
    const detail::ListBounds bounds = list->value.value;
    for (std::uint64_t number = bounds.begin / kPiece; number * kPiece < bounds.end; ++number) {
      const Piece* piece = pieces_.Find(core_.place(), PieceName(number));
      if (piece == nullptr) ByteReader::Fail("a piece of a list is missing");
      for (std::uint64_t i = number * kPiece < bounds.begin ? bounds.begin % kPiece : 0; i < piece->size(); ++i) {
        f((*piece)[i].second);
      }
    }
  }
  std::vector<T> Get() {
    std::vector<T> values;
    ForEach([&](const T& value) { values.push_back(value); });
    return values;
  }

  // Removes the oldest elements, `count` at most.
  void DropFront(std::uint64_t count) {
    if (Entry* list = Living()) Drop(*list, core_.place(), count);
  }
  void Clear() { DropFront(UINT64_MAX); }

 private:
  using Table = detail::StateTable<Key, detail::Stamped<detail::ListBounds>>;  // ends: when its first element does
  using Entry = typename Table::Entry;
  using Piece = std::vector<std::pair<std::int64_t, T>>;  // when it ends, and the element
  static constexpr std::uint64_t kPiece = 32;             // elements

  // Big endian: pieces lie in order.
  static std::string PieceName(std::uint64_t number) {
    std::string name;
    for (int shift = 56; shift >= 0; shift -= 8) name.push_back(static_cast<char>(number >> shift));
    return name;
  }

  // The list without what has ended; null when nothing is left.
  Entry* Living() {
    Entry* list = lists_.Find(core_.hash(), core_.key());
    if (list == nullptr || !expiry_.IsOver(list->value.stamp.ends_us, core_.now_us)) return list;
    return DropOver(*list, core_.place());
  }

  Entry* DropOver(Entry& list, const detail::EntryPlace& place) {
    const detail::ListBounds& bounds = list.value.value;
    std::uint64_t over = 0;
    for (std::uint64_t at = bounds.begin; at < bounds.end; ++at, ++over) {
      if (!expiry_.IsOver(EndOf(place, at), core_.now_us)) break;
    }
    Drop(list, place, over);
    return list.live ? &list : nullptr;
  }

  std::int64_t EndOf(const detail::EntryPlace& place, std::uint64_t at) {
    const Piece* piece = pieces_.Find(place, PieceName(at / kPiece));
    if (piece == nullptr || piece->size() <= at % kPiece) ByteReader::Fail("a piece of a list is missing");
    return (*piece)[at % kPiece].first;
  }

  // Pieces go when their last element does.
  void Drop(Entry& list, const detail::EntryPlace& place, std::uint64_t count) {
    detail::ListBounds& bounds = list.value.value;
    const std::uint64_t begin = bounds.begin + std::min(count, bounds.end - bounds.begin);
    const bool all = begin == bounds.end;
    const std::uint64_t last = all ? (bounds.end + kPiece - 1) / kPiece : begin / kPiece;
    for (std::uint64_t number = bounds.begin / kPiece; number < last; ++number) {
      pieces_.Erase(place, PieceName(number));
    }
    if (all) {
      expiry_.Cancel(list.value.stamp, list.hash, [&] { return list.key; });
      return lists_.Erase(list);
    }
    bounds.begin = begin;
    list.value.stamp.ends_us = EndOf(place, begin);
    lists_.Changed(list);
  }

  void Clean() override {
    expiry_.PopDue(core_.now_us, [this](std::uint64_t hash, const Key& key) {
      Entry* list = lists_.Find(hash, key);
      if (list == nullptr) return;
      list->value.stamp.timer_us = 0;
      const std::string key_bytes = ToBytes(key);
      const detail::EntryPlace place = core_.PlaceOf(hash, key_bytes);
      if (expiry_.IsOver(list->value.stamp.ends_us, core_.now_us)) list = DropOver(*list, place);
      if (list == nullptr || !expiry_.LivesOn(list->value.stamp, core_.now_us, hash, key)) return;
      lists_.Changed(*list);
    });
  }

  detail::ProcessCore<Key>& core_;
  const std::string name_;
  Table lists_;
  detail::KeyedEntries<Key, Piece> pieces_;
  detail::Expiry<Key> expiry_;
};

}  // namespace millrace
