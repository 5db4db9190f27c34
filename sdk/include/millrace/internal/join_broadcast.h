// WithBroadcast: every partition of one stream sees the last record of another.
//
// A map task sends its records to one partition, chosen by its own number, so they stay together and in order; of the
// other stream it sends its last record to all partitions. The last of all, in the order of map partitions, is kept as
// state in each partition, and is what the records of its batch see already. It is stored once for each key group, so
// that it is there however many partitions the next version of the job has. Threads and errors: see operator.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/emitter.h"
#include "millrace/internal/join_sides.h"
#include "millrace/internal/record_array.h"
#include "millrace/internal/state.h"
#include "millrace/owned.h"

namespace millrace::detail {

// One value, the same in all partitions.
template <class Value>
class BroadcastValue : public StatePart {
 public:
  explicit BroadcastValue(OperatorState& owner) : setup_(owner.setup()), prefix_(owner.Register(*this, "value")) {}

  const Value* get() const { return value_ ? &*value_ : nullptr; }
  void Set(Value value) {
    value_ = std::move(value);
    changed_ = true;
  }

  // All entries hold the same.
  void Load(std::string_view, std::string_view bytes) override {
    if (value_) return;
    value_ = FromBytes<Value>(bytes);
    size_ = bytes.size();
  }
  void Loaded() override {
    std::string bytes;
    if (setup_.store != nullptr && setup_.store->Get(KeyOf(FirstGroup()), bytes)) value_ = FromBytes<Value>(bytes);
  }
  void TakeChanges(engine::StateChanges& changes) override {
    ForEachGroup([&](const std::string& key, const std::string& bytes) { changes.Put(key, bytes); });
  }
  void EndBatch() override {
    if (setup_.store == nullptr) return;
    ForEachGroup([&](const std::string& key, const std::string& bytes) { setup_.store->Put(key, bytes); });
  }
  std::uint64_t bytes() const override { return sizeof(*this) + size_; }

 private:
  std::uint32_t PartitionOf(std::uint32_t group) const {
    return PartitionOfGroup(group, setup_.key_groups, setup_.description->partitions);
  }
  std::uint32_t FirstGroup() const {
    std::uint32_t group = 0;
    while (group + 1 < setup_.key_groups && PartitionOf(group) != setup_.partition) ++group;
    return group;
  }
  std::string KeyOf(std::uint32_t group) const {
    std::string key = prefix_;
    AppendGroup(group, key);
    return key;
  }

  template <class F>
  void ForEachGroup(const F& f) {
    if (!changed_) return;
    changed_ = false;
    const std::string bytes = ToBytes(*value_);
    size_ = bytes.size();
    for (std::uint32_t g = FirstGroup(); g < setup_.key_groups && PartitionOf(g) == setup_.partition; ++g) {
      f(KeyOf(g), bytes);
    }
  }

  const StateSetup setup_;
  const std::string prefix_;
  std::optional<Value> value_;
  std::size_t size_ = 0;  // encoded, when it was last
  bool changed_ = false;
};

template <class Value>
struct BroadcastState : OperatorState {
  explicit BroadcastState(const StateSetup& setup) : OperatorState(setup), value(*this) {}
  BroadcastValue<Value> value;
};

template <class T, class V>
class BroadcastWriter : public Consumer<EitherOf<T, V>> {
 public:
  explicit BroadcastWriter(const OperatorSetup& setup)
      : Consumer<EitherOf<T, V>>(setup),
        blocks_(setup.description->partitions),
        to_(setup.task->partition % setup.description->partitions) {}

  void Push(std::span<const EitherOf<T, V>> chunk) override {
    this->Enter();
    const V* last = nullptr;
    for (const EitherOf<T, V>& one : chunk) {
      if (one.left != nullptr) {
        blocks_.left().Add(to_, *one.left);
      } else {
        last = one.right;
      }
    }
    if (last != nullptr) last_ = ToOwned<V>(*last);
  }

  void Finish() override {
    this->Enter();
    for (std::uint32_t p = 0; last_ && p < blocks_.right().partitions(); ++p) blocks_.right().Add(p, *last_);
    blocks_.Give(this->setup().description->id, *this->setup().output);
  }

 private:
  SideBlocks blocks_;
  const std::uint32_t to_;
  std::optional<Owned<V>> last_;
};

// F gives a record of type Out of (const T&, const Value*), or emits any number of them.
template <class T, class V, class Out, class F>
class BroadcastReader : public Producer<Out> {
  using Value = Owned<V>;

 public:
  BroadcastReader(const OperatorSetup& setup, const F& f) : Producer<Out>(setup), f_(f) {}

  void Block(std::string_view data) override {
    this->Enter();
    const BothSides sides(data);
    records_.push_back(sides.left);  // blocks live until the task has finished
    for (BlockReader block(sides.right); block.Next();) value().Set(Decode<Value>(block.in()));
  }

  void Finish() override {
    this->Enter();
    for (const std::string_view data : records_) {
      for (BlockReader block(data); block.Next();) {
        chunk_.Emplace(Decode<T>(block.in()));
        if (chunk_.size() == engine::kChunkRecords) CallForChunk();
      }
      CallForChunk();
    }
    records_ = {};
  }

 private:
  // What f gives may be a view of its record, so the records live until it has been pushed on.
  void CallForChunk() {
    const Value* const known = value().get();
    Emitter<Out> emit(this->out_);
    for (const T& record : chunk_.records()) {
      if constexpr (std::is_invocable_v<const F&, const T&, const Value*, Emitter<Out>&>) {
        std::invoke(f_, record, known, emit);
      } else {
        this->out_.Add(std::invoke(f_, record, known));
      }
    }
    this->out_.Flush();
    chunk_.Clear();
  }

  BroadcastValue<Value>& value() { return this->template StateAs<BroadcastState<Value>>().value; }

  const F& f_;
  std::vector<std::string_view> records_;
  RecordArray<T> chunk_;
};

}  // namespace millrace::detail
