// What runs in a task: one Operator object for each operator of the stage, pushing chunks of records to those that
// consume it.
//
// An operator is a Consumer<T> of its input and has an Outbox<U> for its output. Push costs one virtual call a chunk;
// inside, the user's function is a template argument and inlines into the loop. A chunk and all it points to are valid
// during the Push that brings it, and no longer: what an operator keeps is Owned. So each operator empties its outbox
// before it returns from Push. Thread rule: all operators of a task run on the task's thread. Errors: whatever user
// code throws goes through.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine.h"
#include "millrace/internal/event_clock.h"
#include "millrace/internal/record_array.h"

namespace millrace::detail {

class OperatorState;

// What the operators of one task tell each other beside the records.
struct TaskShared {
  // The records of the source that are on their way now: a stage that must know which one went bad pushes them one by
  // one.
  std::span<const engine::SourceRecord> source;
  bool one_by_one = false;
  // Event time that this task has seen, microseconds since the Unix epoch; no record after it is older. Written by the
  // operator that assigns timestamps, or by a root that has merged those of its inputs; read by writers at Finish.
  std::int64_t watermark_us = INT64_MIN;
  // The same by origin: a task may have records of several, each as far as it is. See event_clock.h.
  std::vector<EventClock> clocks;

  // Called by an origin, once, in its Finish. Of several the slowest is the task's.
  void Publish(const EventClock& clock) {
    watermark_us = clocks.empty() ? clock.watermark_us : std::min(watermark_us, clock.watermark_us);
    clocks.push_back(clock);
  }
};

// What an operator is given when its task begins. All of it outlives the operator.
struct OperatorSetup {
  const engine::OperatorDescription* description;
  const engine::TaskContext* task;
  engine::TaskOutput* output;
  volatile std::uint32_t* current;  // where the id of the running operator is noted for the crash handler
  OperatorState* state = nullptr;   // of a stateful root
  TaskShared* shared = nullptr;
};

class Operator {
 public:
  explicit Operator(const OperatorSetup& setup) : setup_(setup), id_(setup.description->id) {}
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;
  virtual ~Operator() = default;

  // Adds a consumer of this operator's output. The graph is typed, so it is a Consumer of the right type.
  virtual void Attach(Operator& /*consumer*/) { Impossible("has no output"); }
  // The same for its side output: its bad records.
  virtual void AttachSide(Operator& /*consumer*/) { Impossible("has no side output"); }
  // Input of a source root, and of a shuffle root.
  virtual void Records(std::span<const engine::SourceRecord> /*records*/) { Impossible("reads no source"); }
  virtual void Block(std::string_view /*data*/) { Impossible("reads no shuffle"); }
  // All inputs have finished.
  virtual void Finish() {}
  virtual void RunFunction() { Impossible("is no ForEachBatch"); }

 protected:
  // Notes that user code of this operator runs from here on.
  void Enter() const { *setup_.current = id_; }
  const OperatorSetup& setup() const { return setup_; }
  // Does the operator give a result in this batch?
  bool Fires() const { return setup_.task->batch % setup_.description->period == 0; }
  template <class S>
  S& StateAs() const {
    return static_cast<S&>(*setup_.state);
  }

 private:
  [[noreturn]] void Impossible(const char* what) const {
    throw std::logic_error("operator " + setup_.description->name + " at " + setup_.description->location + " " + what +
                           ": the runner's plan is of another job");
  }

  const OperatorSetup setup_;
  const std::uint32_t id_;
};

template <class T>
class Consumer : public Operator {
 public:
  using Operator::Operator;
  // At most kChunkRecords records.
  virtual void Push(std::span<const T> chunk) = 0;
};

// The output side of an operator: collects records into chunks and pushes each chunk to every consumer.
template <class T>
class Outbox {
 public:
  explicit Outbox(const OperatorSetup& setup) : current_(setup.current), id_(setup.description->id) {}

  void Attach(Operator& consumer) { consumers_.push_back(&static_cast<Consumer<T>&>(consumer)); }

  template <class... Args>
  void Add(Args&&... args) {
    buffer_.Emplace(std::forward<Args>(args)...);
    if (buffer_.size() == engine::kChunkRecords) [[unlikely]]
      Flush();
  }

  void Flush() {
    if (buffer_.empty() || held_) return;
    Forward(buffer_.records());
    buffer_.Clear();
  }

  // While it is held, records are only collected: those of a bad record can be taken back.
  void Hold(bool held) { held_ = held; }
  std::size_t size() const { return buffer_.size(); }
  void TakeBack(std::size_t size) { buffer_.Truncate(size); }

  // Pushes records that are already in one piece, without copying them. Afterwards this operator is the running one
  // again.
  void Forward(std::span<const T> records) {
    while (records.size() > engine::kChunkRecords) {
      PushToAll(records.first(engine::kChunkRecords));
      records = records.subspan(engine::kChunkRecords);
    }
    if (!records.empty()) PushToAll(records);
    *current_ = id_;
  }

 private:
  void PushToAll(std::span<const T> chunk) {
    for (Consumer<T>* consumer : consumers_) consumer->Push(chunk);
  }

  volatile std::uint32_t* const current_;
  const std::uint32_t id_;
  bool held_ = false;
  std::vector<Consumer<T>*> consumers_;
  RecordArray<T> buffer_;
};

// An operator with one output of type T.
template <class T, class Base = Operator>
class Producer : public Base {
 public:
  explicit Producer(const OperatorSetup& setup) : Base(setup), out_(setup) {}
  void Attach(Operator& consumer) override { out_.Attach(consumer); }

 protected:
  Outbox<T> out_;
};

}  // namespace millrace::detail
