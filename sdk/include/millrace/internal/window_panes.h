// WindowPanes<Key, Policy>: what a sliding window holds of each key, for any associative reduction and without an
// inverse.
//
// Time is cut into panes: the batches between two places where windows begin or end. A window covers the `length`
// newest panes. Of each key there are two stacks (Tangwongsan, Hirzel, Schneider: "In-Order Sliding-Window Aggregation
// in Worst-Case Constant Time" tells the family): `front` holds for each of its panes the reduction from it to the end
// of the front, `back` the values of younger panes and their running reduction. A window's result is the oldest front
// entry reduced with the back. When the front is used up the back becomes the front; that happens for each key once in
// `length` panes, at places that its hash decides, so that no batch has to do it for all keys.
//
// Which panes are in the front depends on pane numbers and hash alone. So results are the same, bit by bit, when the
// window is made again from the values of its panes. Reductions run from the oldest to the newest.
//
// Keys are kept in the order of their hashes, and what a pane brings is merged into it: memory is walked, not jumped
// through, and the order of results is a function of the keys. One thread at a time. Errors: what the reduction throws.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"

namespace millrace::detail {

// A value that a pane brings for a key.
template <class Key, class Value>
struct PaneValue {
  std::uint64_t hash;
  Key key;
  Value value;
};

// By hash; different keys of one hash by their bytes.
template <class A, class B>
bool HashLess(const A& a, const B& b) {
  if (a.hash != b.hash) return a.hash < b.hash;
  return !KeyEquals(a.key, b.key) && ToBytes(a.key) < ToBytes(b.key);
}

template <class Key, class Policy>
class WindowPanes {
  using Value = typename Policy::Value;

 public:
  // `length` of the window in panes.
  WindowPanes(Policy policy, std::uint64_t length) : policy_(policy), length_(length) {}

  // Values of a pane, sorted by HashLess, each key once. Panes come in ascending order; one may come several times.
  void Add(std::uint64_t pane, std::vector<PaneValue<Key, Value>>&& values) {
    std::vector<Entry> added;
    auto at = entries_.begin();
    for (auto& value : values) {
      at = Gallop(at, value);
      if (at != entries_.end() && at->hash == value.hash && KeyEquals(at->key, value.key)) {
        Push(*at, pane, std::move(value.value));
      } else {
        added.push_back(Entry{value.hash, std::move(value.key), GroupOf(value.hash, pane), 0, 0, {}, {}});
        Push(added.back(), pane, std::move(value.value));
      }
    }
    if (added.empty()) return;
    const auto middle = static_cast<std::ptrdiff_t>(entries_.size());
    std::move(added.begin(), added.end(), std::back_inserter(entries_));
    std::inplace_merge(entries_.begin(), entries_.begin() + middle, entries_.end(),
                       [](const Entry& a, const Entry& b) { return HashLess(a, b); });
  }

  // Calls f(const Key&, Value&&) for every key that has a value in the window that ends with this pane, and forgets the
  // others.
  template <class F>
  void Fire(std::uint64_t pane, const F& f) {
    bool dead = false;
    for (Entry& entry : entries_) {
      std::optional<Value> result = Result(entry, pane);
      if (result) {
        f(std::as_const(entry.key), *std::move(result));
      } else {
        dead = true;
      }
    }
    if (dead) std::erase_if(entries_, [](const Entry& entry) { return entry.items.empty(); });
  }

  std::size_t keys() const { return entries_.size(); }
  std::uint64_t bytes() const {
    std::uint64_t sum = entries_.capacity() * sizeof(Entry);
    for (const Entry& entry : entries_) sum += entry.items.capacity() * sizeof(Item);
    return sum;
  }

 private:
  struct Item {
    std::uint64_t pane;
    Value value;
  };
  struct Entry {
    std::uint64_t hash;
    Key key;
    std::uint64_t group;           // of the panes in the back
    std::uint32_t head;            // items before it have left the window
    std::uint32_t front;           // items before it are the front, the others the back
    std::vector<Item> items;       // ascending panes
    std::optional<Value> running;  // of the back
  };

  // Groups are `length` panes long and begin where the key's hash says. A window never reaches further back than into
  // the group before that of its last pane: that one is the front, the newest is the back.
  std::uint64_t GroupOf(std::uint64_t hash, std::uint64_t pane) const { return (pane + hash % length_) / length_; }

  // The first entry from `at` on that is not less. Near ones are found fast, and so are far ones.
  template <class Iterator>
  Iterator Gallop(Iterator at, const PaneValue<Key, Value>& value) {
    const auto less = [](const Entry& entry, const PaneValue<Key, Value>& wanted) { return HashLess(entry, wanted); };
    std::ptrdiff_t step = 1;
    Iterator from = at;
    while (entries_.end() - from > step && less(from[step - 1], value)) {
      from += step;
      step *= 2;
    }
    return std::lower_bound(from, entries_.end() - from > step ? from + step : entries_.end(), value, less);
  }

  void Push(Entry& entry, std::uint64_t pane, Value&& value) {
    Turn(entry, pane);
    if (entry.running) {
      policy_.Merge(*entry.running, value);
    } else {
      entry.running = value;
    }
    if (entry.items.size() > entry.front && entry.items.back().pane == pane) {
      policy_.Merge(entry.items.back().value, value);
    } else {
      entry.items.push_back(Item{pane, std::move(value)});
    }
  }

  // Makes the back the front when the pane is of a later group.
  void Turn(Entry& entry, std::uint64_t pane) {
    const std::uint64_t group = GroupOf(entry.hash, pane);
    if (group == entry.group) return;
    if (group > entry.group + 1) {  // all that there is has left the window
      entry.items.clear();
    } else {
      entry.items.erase(entry.items.begin(), entry.items.begin() + entry.front);
      for (std::size_t i = entry.items.size(); i-- > 1;) {
        Value sum = std::move(entry.items[i - 1].value);
        policy_.Merge(sum, entry.items[i].value);
        entry.items[i - 1].value = std::move(sum);
      }
    }
    entry.head = 0;
    entry.front = static_cast<std::uint32_t>(entry.items.size());
    entry.running.reset();
    entry.group = group;
  }

  std::optional<Value> Result(Entry& entry, std::uint64_t pane) {
    Turn(entry, pane);
    while (entry.head < entry.front && entry.items[entry.head].pane + length_ <= pane) ++entry.head;
    DropHead(entry);
    if (entry.head == entry.front) return entry.running;
    std::optional<Value> result = entry.items[entry.head].value;
    if (entry.running) policy_.Merge(*result, *entry.running);
    return result;
  }

  // Gives the memory of what has left back, a quarter at a time.
  static void DropHead(Entry& entry) {
    if (entry.head == entry.items.size()) {
      entry.items = {};
    } else if (entry.head <= entry.items.size() / 4) {
      return;
    } else {
      entry.items.erase(entry.items.begin(), entry.items.begin() + entry.head);
    }
    entry.front -= entry.head;
    entry.head = 0;
  }

  const Policy policy_;
  const std::uint64_t length_;
  std::vector<Entry> entries_;
};

}  // namespace millrace::detail
