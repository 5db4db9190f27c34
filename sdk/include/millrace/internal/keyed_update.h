// UpdateStateByKey: the root of its reduce stage, and the state that it keeps. The function is called for every key
// that has a state, in the order in which the keys came (on disk: in the order of their bytes), then for the keys that
// are new, in the order in which the batch brought them. Without the sweep: for the batch's keys alone.
//
// Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/codec.h"
#include "millrace/internal/keyed_batch.h"
#include "millrace/internal/keyed_functions.h"
#include "millrace/internal/keyed_groups.h"
#include "millrace/internal/keyed_initial.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/state_table.h"

namespace millrace::detail {

template <class Key, class S>
struct UpdateState : OperatorState {
  UpdateState(const StateSetup& setup, InitialState<Key, S> initial_state)
      : OperatorState(setup), initial(std::move(initial_state)), states(*this, "states"), marks(*this, "begun") {}

  const InitialState<Key, S> initial;
  StateTable<Key, S> states;
  StateMarks marks;
};

template <class K, class V, class S, class F>
class UpdateReader : public Producer<std::pair<Owned<K>, S>> {
  using Key = Owned<K>;
  using State = UpdateState<Key, S>;
  using Groups = KeyedGroups<K, V>;
  using Entry = typename StateTable<Key, S>::Entry;

 public:
  UpdateReader(const OperatorSetup& setup, const F& f, bool sweep)
      : Producer<std::pair<Key, S>>(setup), f_(f), sweep_(sweep), batch_(BatchOf(*setup.task)) {}

  void Block(std::string_view data) override {
    this->Enter();
    groups_.AddBlock(data);
  }

  void Finish() override {
    this->Enter();
    if (!this->Fires()) return;
    State& state = this->template StateAs<State>();
    state.marks.BeginOnce(state.initial.get(), [&](const auto& entry) {
      state.states.FindOrAdd(entry.hash, entry.key, [&] { return entry.state; });
    });
    groups_.Arrange();
    if (sweep_) {
      state.states.ForEach([&](Entry& entry) { Sweep(state, entry); });
    }
    for (typename Groups::Entry& group : groups_.entries()) {
      if (!group.value.visited) Touch(state, group);
    }
    this->out_.Flush();
  }

 private:
  // A key that has a state; `group` null: and no records.
  void Sweep(State& state, Entry& entry) {
    typename Groups::Entry* group = groups_.Find(entry.hash, entry.key);
    if (group == nullptr) return Update(state, entry, {});
    group->value.visited = true;
    Update(state, entry, groups_.ValuesOf(group->value));
  }

  void Touch(State& state, const typename Groups::Entry& group) {
    const std::span<const V> values = groups_.ValuesOf(group.value);
    if (!sweep_) {
      if (Entry* entry = state.states.Find(group.hash, group.key)) return Update(state, *entry, values);
    }
    Key key(ToOwned<typename InBlock<K>::Type>(group.key));
    std::optional<S> made = Call(key, values, std::nullopt);
    if (!made) return;
    Entry& entry = state.states.FindOrAdd(group.hash, key, [&] { return std::move(*made); });
    this->out_.Add(std::move(key), entry.value);
  }

  // What is the same afterwards, byte for byte, is not written again.
  void Update(State& state, Entry& entry, std::span<const V> values) {
    const std::string before = values.empty() ? ToBytes(entry.value) : std::string();
    std::optional<S> made = Call(entry.key, values, std::optional<S>(std::move(entry.value)));
    if (!made) return state.states.Erase(entry);
    entry.value = std::move(*made);
    if (!values.empty() || ToBytes(entry.value) != before) state.states.Changed(entry);
    this->out_.Add(entry.key, entry.value);
  }

  std::optional<S> Call(const Key& key, std::span<const V> values, std::optional<S> old) const {
    return CallWithBatch(f_, batch_, key, values, std::move(old));
  }

  const F& f_;
  const bool sweep_;
  const BatchContext batch_;
  Groups groups_;
};

}  // namespace millrace::detail
