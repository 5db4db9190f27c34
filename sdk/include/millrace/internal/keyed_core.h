// What the named states of a keyed process share: the key that is being processed, the batch's time, the timers, and
// whom to ask for what is too old.
//
// A ProcessCore is a part of the operator's state and lives as long as the user's process object, which finds it when
// it is made: so states can be plain members. One thread at a time. Errors: std::invalid_argument for wrong names and
// settings, when the process is made; std::logic_error for states and timers used where there is no key.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/keyed_entries.h"
#include "millrace/internal/keyed_functions.h"
#include "millrace/internal/state.h"
#include "millrace/internal/state_timers.h"
#include "millrace/internal/text.h"

namespace millrace {

// Of one named state.
struct StateOptions {
  // How long a value lives after it was last written; 0: until it is cleared. It is gone for every reader in the first
  // batch whose time is at least the writing batch's and this; its memory is given back a little later, some of it
  // with every batch.
  std::chrono::microseconds ttl{0};
  bool refresh_on_read = false;  // a value that is read lives on as if it were written
};

namespace detail {

// A state that has values with a time to live.
class Expiring {
 public:
  virtual ~Expiring() = default;
  // Removes some of what is too old.
  virtual void Clean() = 0;
};

template <class Key>
class ProcessCore {
 public:
  explicit ProcessCore(OperatorState& owner)
      : timers(owner, "/timers"), event_timers(owner, "/event-timers"), owner_(owner) {}
  ProcessCore(const ProcessCore&) = delete;
  ProcessCore& operator=(const ProcessCore&) = delete;

  OperatorState& owner() const { return owner_; }

  // Checks and notes a state of the process; gives its name. The operator's own parts have names with a slash.
  std::string Describe(std::string_view kind, std::string_view name, std::string_view type,
                       const StateOptions& options) {
    if (!IsJobName(name)) {
      throw std::invalid_argument(
          Cat(kind, " '", name, "' has no possible name: use 1 to 64 letters, digits, '.', '_' and '-'"));
    }
    for (const std::string& taken : names_) {
      if (taken == name) throw std::invalid_argument(Cat("two states are named '", name, "': give each its own name"));
    }
    if (options.ttl.count() < 0 || options.ttl.count() > kLongestUs) {
      throw std::invalid_argument(Cat("the time to live of '", name, "' is not possible: pass 1 us to 100 years"));
    }
    names_.emplace_back(name);
    description_ += Cat(description_.empty() ? "" : ", ", kind, " ", name, " of ", type);
    return names_.back();
  }
  const std::string& description() const { return description_; }

  void AddExpiring(Expiring& state) { expiring_.push_back(&state); }
  void Clean() const {
    for (Expiring* state : expiring_) state->Clean();
  }

  // ---- what is being processed ----
  void Enter(std::uint64_t hash, const Key& key) {
    key_ = &key;
    hash_ = hash;
    key_bytes_.clear();
  }
  void Leave() { key_ = nullptr; }

  const Key& key() const {
    if (key_ == nullptr) {
      throw std::logic_error(
          "a state or timer of a keyed process was used where there is no key: use it in OnRecord and OnTimer alone");
    }
    return *key_;
  }
  std::uint64_t hash() const { return hash_; }
  EntryPlace place() {
    if (key_bytes_.empty()) {
      ByteWriter out(key_bytes_);
      Encode(key(), out);
    }
    return PlaceOf(hash_, key_bytes_);
  }
  EntryPlace PlaceOf(std::uint64_t hash, std::string_view key_bytes) const {
    return {KeyGroupOf(hash, owner_.setup().key_groups), key_bytes};
  }

  StateTimers<Key> timers;
  StateTimers<Key> event_timers;
  std::int64_t now_us = 0;  // the batch's time

 private:
  OperatorState& owner_;
  std::vector<std::string> names_;
  std::string description_;
  std::vector<Expiring*> expiring_;
  const Key* key_ = nullptr;
  std::uint64_t hash_ = 0;
  std::string key_bytes_;  // of the current key; empty: not yet made
};

// The base of a process. It finds its core in a variable of the thread that makes it.
template <class Key>
class ProcessBase {
 public:
  ProcessBase() : core_(*Making()) {}
  ProcessBase(const ProcessBase&) = delete;
  ProcessBase& operator=(const ProcessBase&) = delete;

  ProcessCore<Key>& core() const { return core_; }

  // While it lives, processes made on this thread belong to `core`.
  class Scope {
   public:
    explicit Scope(ProcessCore<Key>& core) { making_ = &core; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { making_ = nullptr; }
  };

 protected:
  ~ProcessBase() = default;

 private:
  static ProcessCore<Key>* Making() {
    if (making_ != nullptr) return making_;
    throw std::logic_error("a millrace::KeyedProcess cannot be made by hand: pass its type to pairs.Process<Type>()");
  }

  inline static thread_local ProcessCore<Key>* making_ = nullptr;
  ProcessCore<Key>& core_;
};

}  // namespace detail
}  // namespace millrace
