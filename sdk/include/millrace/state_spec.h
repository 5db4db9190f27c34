// What MapWithState is told, and what its function is given of a key's state.
//
//   auto totals = purchases.MapWithState(
//       StateSpec([](const std::string& user, std::optional<double> amount, StateHandle<double>& total) {
//         if (total.IsTimingOut()) return std::pair(user, total.Get());          // amount has no value
//         total.Update((total.Exists() ? total.Get() : 0) + *amount);
//         return std::pair(user, total.Get());
//       }).Timeout(std::chrono::minutes(30)));
//   totals.StateSnapshots().Print();
//
// The function is called once a record, in the order in which a partition's records come, and gives a record, or an
// optional of one. Its arguments are f(const Key&, std::optional<Value>, StateHandle<State>&), and a const
// BatchContext& as the fourth if it likes. A StateHandle is valid during the call. Errors: std::logic_error for what a
// state does not allow, which fails the attempt; std::invalid_argument for settings, at plan time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

namespace detail {
template <class K, class V, class S, class U, class F>
class MapStateReader;
struct NoState {};
}  // namespace detail

template <class S>
class StateHandle {
 public:
  StateHandle(const StateHandle&) = delete;
  StateHandle& operator=(const StateHandle&) = delete;

  bool Exists() const { return at_ != nullptr; }
  const S& Get() const {
    if (at_ == nullptr) Refuse("Get", "the key has none; ask Exists() first, or use GetOr");
    return *at_;
  }
  S GetOr(S fallback) const { return at_ == nullptr ? std::move(fallback) : *at_; }

  void Update(S state) {
    CheckMayChange("Update");
    if (at_ != nullptr) {
      *at_ = std::move(state);
    } else {
      at_ = &made_.emplace(std::move(state));
    }
    updated_ = true;
  }
  // The state itself, to be changed in place: cheaper than Update when it is large.
  S& Mutable() {
    CheckMayChange("Mutable");
    if (at_ == nullptr) Refuse("Mutable", "the key has none; Update it first");
    updated_ = true;
    return *at_;
  }
  // The key has no state afterwards. A state that was removed cannot be updated in the same call.
  void Remove() {
    CheckMayChange("Remove");
    at_ = nullptr;
    removed_ = true;
  }

  // The key has been idle for the timeout: there is no record, and its state is removed after the call.
  bool IsTimingOut() const { return timing_out_; }

 private:
  template <class K, class V, class State, class U, class F>
  friend class detail::MapStateReader;

  StateHandle(S* at, bool timing_out) : at_(at), timing_out_(timing_out) {}

  void CheckMayChange(const char* what) const {
    if (timing_out_) Refuse(what, "it is timing out and will be removed; ask IsTimingOut() first");
    if (removed_) Refuse(what, "it was removed in this call");
  }
  [[noreturn]] static void Refuse(const char* what, const char* why) {
    throw std::logic_error(std::string("StateHandle::") + what + " is not possible for this state: " + why);
  }

  S* at_;
  const bool timing_out_;
  bool updated_ = false;
  bool removed_ = false;
  std::optional<S> made_;  // a state that is new
};

// Made by StateSpec(f). A and B: the types of the initial state.
template <class S, class F, class A = detail::NoState, class B = detail::NoState>
struct MapStateSpec {
  F f;
  std::vector<std::pair<A, B>> initial;
  std::optional<std::int64_t> partitions;
  std::chrono::microseconds timeout{0};  // 0: none

  // The states that keys have before the first record. Loaded when the job's state begins, and never again.
  template <class C, class D>
  MapStateSpec<S, F, C, D> InitialState(std::vector<std::pair<C, D>> states) && {
    return {std::move(f), std::move(states), partitions, timeout};
  }
  // How many tasks keep the state; left out, the job's default.
  MapStateSpec Partitions(std::int64_t count) && {
    partitions = count;
    return std::move(*this);
  }
  // A key for which no record comes for so long loses its state: in the first batch whose time is at least the last
  // record's batch and `idle`, after that batch's records. A record of that very batch keeps it. When a new version of
  // a job adds a timeout, it counts from each key's next record.
  MapStateSpec Timeout(std::chrono::microseconds idle) && {
    timeout = idle;
    return std::move(*this);
  }
};

// `S` is the state's type; left out, that of the function's StateHandle.
template <class S = void, class F>
MapStateSpec<S, F> StateSpec(F f) {
  return {std::move(f), {}, {}, {}};
}

}  // namespace millrace
