// Windows that reduce, by key: the root of the stage behind the exchange, and its state. The map side combines what a
// task has of a key with a CombineWriter. Threads and errors: see operator.h.
//
// Each batch's values are also written to a StateLog, a piece for each key group, and deleted when no window will cover
// them again; a restore brings them back in the order in which they came.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/internal/combine_operators.h"
#include "millrace/internal/state_log.h"
#include "millrace/internal/window_panes.h"

namespace millrace::detail {

// Where the panes of a windowed operator begin and end, in batches.
struct BatchWindow {
  explicit BatchWindow(const engine::OperatorDescription& op)
      : window(op.window), period(op.period), pane(std::gcd(window, period)) {}

  std::uint64_t PaneOf(std::uint64_t batch) const { return (batch - 1) / pane; }
  // The oldest batch that a firing after this batch will look at.
  std::uint64_t OldestNeeded(std::uint64_t batch) const {
    const std::uint64_t next = (batch / period + 1) * period;
    return next > window ? next - window + 1 : 1;
  }

  std::uint64_t window;
  std::uint64_t period;
  std::uint64_t pane;
};

template <class Policy>
class ReduceWindowState : public OperatorState {
  using Key = Owned<typename Policy::Key>;
  using Value = typename Policy::Value;

 public:
  using Values = std::vector<PaneValue<Key, Value>>;

  ReduceWindowState(const StateSetup& setup, Policy policy)
      : OperatorState(setup),
        shape(*setup.description),
        panes(policy, shape.window / shape.pane),
        log_(*this, "panes", [this](std::uint32_t group, std::uint64_t batch, std::string_view data) {
          loaded_[batch].emplace_back(group, data);
        }) {}

  // What a batch brings, sorted by HashLess.
  void Add(std::uint64_t batch, Values&& values) {
    Write(batch, values);
    panes.Add(shape.PaneOf(batch), std::move(values));
  }
  void DropBefore(std::uint64_t batch) {
    for (; !written_.empty() && written_.front().first < batch; written_.pop_front()) {
      for (const std::uint32_t group : written_.front().second) log_.Delete(group, written_.front().first);
    }
  }

  void Loaded() override {
    OperatorState::Loaded();
    for (auto& [batch, pieces] : loaded_) {
      Values values;
      std::vector<std::uint32_t> groups;
      for (const auto& [group, data] : pieces) {
        groups.push_back(group);
        ByteReader in(data);
        for (std::size_t left = in.Count(); left > 0; --left) {
          Key key = Decode<Key>(in);
          const std::uint64_t hash = HashOf(key);
          Value value = Decode<Value>(in);
          values.push_back({hash, std::move(key), std::move(value)});
        }
      }
      written_.emplace_back(batch, std::move(groups));
      panes.Add(shape.PaneOf(batch), std::move(values));
    }
    loaded_.clear();
  }

  const BatchWindow shape;
  WindowPanes<Key, Policy> panes;

 private:
  // Sorted by hash is sorted by key group.
  void Write(std::uint64_t batch, const Values& values) {
    std::vector<std::uint32_t> groups;
    for (std::size_t begin = 0; begin < values.size();) {
      const std::uint32_t group = KeyGroupOf(values[begin].hash, setup().key_groups);
      std::string bytes;
      ByteWriter out(bytes);
      std::size_t end = begin;
      for (; end < values.size() && KeyGroupOf(values[end].hash, setup().key_groups) == group; ++end) {
        Encode(values[end].key, out);
        Encode(values[end].value, out);
      }
      std::string piece;
      ByteWriter(piece).Varint(end - begin);
      piece += bytes;
      log_.Append(group, batch, std::move(piece));
      groups.push_back(group);
      begin = end;
    }
    if (!groups.empty()) written_.emplace_back(batch, std::move(groups));
  }

  StateLog log_;
  std::deque<std::pair<std::uint64_t, std::vector<std::uint32_t>>> written_;  // batches in the log, and their groups
  std::map<std::uint64_t, std::vector<std::pair<std::uint32_t, std::string>>> loaded_;
};

template <class Policy>
class ReduceWindowReader : public Producer<std::pair<Owned<typename Policy::Key>, typename Policy::Value>> {
  using Key = typename Policy::Key;
  using Value = typename Policy::Value;
  using Table = CombineTable<typename InBlock<Key>::Type, Value>;
  using State = ReduceWindowState<Policy>;

 public:
  ReduceWindowReader(const OperatorSetup& setup, Policy policy)
      : Producer<std::pair<Owned<Key>, Value>>(setup), policy_(policy) {}

  void Block(std::string_view data) override {
    this->Enter();
    MergeCombined(data, table_, policy_);
  }

  void Finish() override {
    this->Enter();
    State& state = this->template StateAs<State>();
    const std::uint64_t batch = this->setup().task->batch;
    if (table_.size() > 0) state.Add(batch, Sorted());
    table_.Release();
    if (this->Fires()) {
      state.panes.Fire(state.shape.PaneOf(batch),
                       [this](const Owned<Key>& key, Value&& value) { this->out_.Add(key, std::move(value)); });
      this->out_.Flush();
    }
    state.DropBefore(state.shape.OldestNeeded(batch));
  }

 private:
  typename State::Values Sorted() {
    typename State::Values values;
    values.reserve(table_.size());
    for (typename Table::Entry& entry : table_.entries()) {
      values.push_back({entry.hash, OwnKey<Key>(std::move(entry.key)), std::move(entry.value)});
    }
    std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return HashLess(a, b); });
    return values;
  }

  const Policy policy_;
  Table table_;
};

}  // namespace millrace::detail
