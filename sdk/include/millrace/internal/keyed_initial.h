// The state that a keyed operator begins with, and the marks that say which key groups have had theirs: so it comes in
// once, not again after a restore or when groups move.
//
// InitialState is made at plan time and shared by all tasks as const. StateMarks is a part of an operator's state: one
// empty entry a key group. One thread at a time. Errors: CodecError for damaged entries, whatever the store throws.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/graph.h"
#include "millrace/internal/state.h"
#include "millrace/owned.h"

namespace millrace::detail {

template <class Key, class State>
struct InitialEntry {
  std::uint64_t hash;
  Key key;
  State state;
};

template <class Key, class State>
using InitialState = std::shared_ptr<const std::vector<InitialEntry<Key, State>>>;

// Refuses a key that is there twice: which state would be the right one?
template <class Key, class State, class A, class B>
InitialState<Key, State> MakeInitialState(const Node& node, const std::vector<std::pair<A, B>>& given) {
  static_assert(std::is_constructible_v<Key, const A&> && std::is_constructible_v<State, const B&>,
                "the initial state must be pairs of the key's type and the state's");
  auto entries = std::make_shared<std::vector<InitialEntry<Key, State>>>();
  std::set<std::string> seen;
  for (const auto& [given_key, state] : given) {
    Key key(given_key);
    if (!seen.insert(ToBytes(key)).second) {
      Refuse(node.description,
             Cat("its initial state has a key twice, at index ", entries->size(), "; give each key one state"));
    }
    const std::uint64_t hash = HashOf(key);
    entries->push_back({hash, std::move(key), State(state)});
  }
  return entries;
}

class StateMarks : public StatePart {
 public:
  StateMarks(OperatorState& owner, std::string_view name)
      : prefix_(owner.Register(*this, name)), setup_(owner.setup()) {}

  // For every entry whose group belongs to this partition and is not marked: add(entry). Then all groups are marked.
  // To be called in a task, each time: after the first call it does nothing.
  template <class Entry, class Add>
  void BeginOnce(const std::vector<Entry>* initial, const Add& add) {
    if (begun_) return;
    begun_ = true;
    const std::vector<bool> fresh = MarkAll();
    if (initial == nullptr) return;
    for (const Entry& entry : *initial) {
      if (fresh[KeyGroupOf(entry.hash, setup_.key_groups)]) add(entry);
    }
  }

  void Load(std::string_view key, std::string_view value) override {
    if (key.size() != 2 || !value.empty()) ByteReader::Fail("an entry is no mark of a key group");
    marked_.emplace(key);
  }
  void TakeChanges(engine::StateChanges& changes) override {
    for (const std::string& group : changed_) changes.Put(prefix_ + group, "");
    changed_.clear();
  }
  std::uint64_t bytes() const override { return marked_.size() * 64; }

 private:
  // By group: is it marked now for the first time?
  std::vector<bool> MarkAll() {
    std::vector<bool> fresh(setup_.key_groups, false);
    for (std::uint32_t group = 0; group < setup_.key_groups; ++group) {
      if (PartitionOfGroup(group, setup_.key_groups, setup_.description->partitions) == setup_.partition) {
        fresh[group] = Mark(group);
      }
    }
    return fresh;
  }

  bool Mark(std::uint32_t group) {
    std::string key;
    AppendGroup(group, key);
    if (setup_.store == nullptr) {
      if (!marked_.insert(key).second) return false;
      changed_.push_back(std::move(key));
      return true;
    }
    std::string value;
    if (setup_.store->Get(prefix_ + key, value)) return false;
    setup_.store->Put(prefix_ + key, "");
    return true;
  }

  const std::string prefix_;
  const StateSetup setup_;
  bool begun_ = false;
  std::set<std::string> marked_;      // in memory
  std::vector<std::string> changed_;  // in memory
};

}  // namespace millrace::detail
