// What an operator that keeps state is made of, and how its parts are found among the entries of engine.h.
//
// An OperatorState is a bundle of parts, each with a name: tables (state_table.h), logs (state_log.h), timers. The
// state of a stage partition is a PartitionState, which passes entries to the operator whose uid begins their key. One
// thread at a time. Errors: std::runtime_error for entries that fit nothing, CodecError for damaged ones.
//
//   struct MyState : OperatorState {
//     explicit MyState(const StateSetup& setup) : OperatorState(setup), counts(*this, "counts") {}
//     StateTable<std::string, std::uint64_t> counts;
//   };
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine.h"
#include "millrace/internal/text.h"

namespace millrace::detail {

// Key groups are numbered by the high bits of the hash, and partitions are ranges of groups: so a group moves as a
// whole, and is a range of keys.
inline std::uint32_t KeyGroupOf(std::uint64_t hash, std::uint32_t groups) {
  return static_cast<std::uint32_t>(((hash >> 32) * groups) >> 32);
}
inline std::uint32_t PartitionOfGroup(std::uint32_t group, std::uint32_t groups, std::uint32_t partitions) {
  return static_cast<std::uint32_t>(std::uint64_t{group} * partitions / groups);
}

inline void AppendGroup(std::uint32_t group, std::string& key) {
  key.push_back(static_cast<char>(group >> 8));
  key.push_back(static_cast<char>(group));
}

// The name under which an operator's entries are stored.
inline std::string StateUid(const engine::OperatorDescription& op) { return op.uid.empty() ? Cat("#", op.id) : op.uid; }

// What a state is given when its partition begins here. All of it outlives the state.
struct StateSetup {
  const engine::OperatorDescription* description;
  std::uint32_t partition;
  std::uint32_t key_groups;
  engine::StateStore* store;  // null: in memory
};

// One named part of an operator's state.
class StatePart {
 public:
  virtual ~StatePart() = default;
  // In memory: an entry, its key without the prefix.
  virtual void Load(std::string_view key, std::string_view value) = 0;
  virtual void Loaded() {}
  // In memory: what changed since the last call; see engine.h. A part that is mostly small gives it all at once.
  virtual void TakeChanges(engine::StateChanges& changes) = 0;
  virtual bool TakeMore(std::size_t /*entries*/) { return false; }
  // On disk: a batch is over; what is not yet in the store goes there.
  virtual void EndBatch() {}
  virtual std::uint64_t bytes() const = 0;
};

class OperatorState {
 public:
  explicit OperatorState(const StateSetup& setup) : setup_(setup), uid_(StateUid(*setup.description)) {}
  OperatorState(const OperatorState&) = delete;
  OperatorState& operator=(const OperatorState&) = delete;
  virtual ~OperatorState() = default;

  const StateSetup& setup() const { return setup_; }
  const std::string& uid() const { return uid_; }

  // Parts register themselves when they are made, as members of the operator's state. Gives their key prefix.
  std::string Register(StatePart& part, std::string_view name) {
    for (const auto& [taken, other] : parts_) {
      if (taken == name) throw std::logic_error(Cat("state ", name, " of operator ", uid_, " is there twice"));
    }
    parts_.emplace_back(name, &part);
    std::string prefix = uid_;
    prefix.push_back('\0');
    prefix.append(name);
    prefix.push_back('\0');
    return prefix;
  }

  // `key` without the operator's uid.
  void Load(std::string_view key, std::string_view value) {
    const std::size_t end = key.find('\0');
    const std::string_view name = key.substr(0, end);
    for (const auto& [part_name, part] : parts_) {
      if (part_name == name && end != std::string_view::npos) return part->Load(key.substr(end + 1), value);
    }
    throw std::runtime_error(Cat("operator ", uid_, " has no state named '", name, "', but the checkpoint has"));
  }
  virtual void Loaded() {
    for (const auto& [name, part] : parts_) part->Loaded();
  }
  void TakeChanges(engine::StateChanges& changes) {
    for (const auto& [name, part] : parts_) part->TakeChanges(changes);
  }
  bool TakeMore(std::size_t entries) {
    return std::any_of(parts_.begin(), parts_.end(), [&](const auto& part) { return part.second->TakeMore(entries); });
  }
  virtual void EndBatch() {
    for (const auto& [name, part] : parts_) part->EndBatch();
  }
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [name, part] : parts_) sum += part->bytes();
    return sum;
  }

 private:
  const StateSetup setup_;
  const std::string uid_;
  std::vector<std::pair<std::string, StatePart*>> parts_;
};

class PartitionState : public engine::State {
 public:
  void Add(std::uint32_t op, std::unique_ptr<OperatorState> state) { states_.emplace_back(op, std::move(state)); }

  // Null when the operator keeps none.
  OperatorState* Find(std::uint32_t op) const {
    for (const auto& [id, state] : states_) {
      if (id == op) return state.get();
    }
    return nullptr;
  }

  void Load(std::string_view key, std::string_view value) override {
    const std::size_t end = key.find('\0');
    const std::string_view uid = key.substr(0, end);
    for (const auto& [id, state] : states_) {
      if (end != std::string_view::npos && state->uid() == uid) return state->Load(key.substr(end + 1), value);
    }
    throw std::runtime_error(Cat("the checkpoint has state of an operator '", uid, "' that this stage does not have"));
  }
  void Loaded() override {
    for (const auto& [id, state] : states_) state->Loaded();
  }
  void TakeChanges(engine::StateChanges& changes) override {
    for (const auto& [id, state] : states_) state->TakeChanges(changes);
  }
  bool TakeMore(std::size_t entries) override {
    return std::any_of(states_.begin(), states_.end(),
                       [&](const auto& state) { return state.second->TakeMore(entries); });
  }
  void EndBatch() {
    for (const auto& [id, state] : states_) state->EndBatch();
  }
  std::uint64_t bytes() const override {
    std::uint64_t sum = 0;
    for (const auto& [id, state] : states_) sum += state->bytes();
    return sum;
  }

 private:
  std::vector<std::pair<std::uint32_t, std::unique_ptr<OperatorState>>> states_;
};

}  // namespace millrace::detail
