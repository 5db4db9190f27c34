// Windows that keep records as they are: Window and Slice, and CountByWindow. Each a writer at the end of the map
// stage, a reader at the root of the next, and the state between. Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/internal/exchange_operators.h"
#include "millrace/internal/state_log.h"
#include "millrace/internal/window_operators.h"

namespace millrace::detail {

// The records of a map task stay together.
template <class T>
class RecordWindowWriter : public Consumer<T> {
 public:
  explicit RecordWindowWriter(const OperatorSetup& setup)
      : Consumer<T>(setup),
        blocks_(setup.description->partitions),
        to_(setup.task->partition % setup.description->partitions) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    for (const T& record : chunk) blocks_.Add(to_, record);
  }
  void Finish() override { blocks_.Give(this->setup().description->id, *this->setup().output); }

 private:
  PartitionBlocks blocks_;
  const std::uint32_t to_;
};

// The blocks of the batches that a window may still cover.
class RecordWindowState : public OperatorState {
 public:
  explicit RecordWindowState(const StateSetup& setup)
      : OperatorState(setup),
        shape(*setup.description),
        log_(*this, "batches", [this](std::uint32_t, std::uint64_t batch, std::string_view data) {
          ByteReader in(data);
          std::vector<std::string>& blocks = batches[batch];
          for (std::size_t left = in.Count(); left > 0; --left) blocks.emplace_back(in.Text());
        }) {}

  void Add(std::uint64_t batch, std::vector<std::string> blocks) {
    std::string piece;
    ByteWriter out(piece);
    out.Varint(blocks.size());
    for (const std::string& block : blocks) out.Text(block);
    log_.Append(setup().partition, batch, std::move(piece));
    batches[batch] = std::move(blocks);
  }
  void DropBefore(std::uint64_t batch) {
    while (!batches.empty() && batches.begin()->first < batch) {
      log_.Delete(setup().partition, batches.begin()->first);
      batches.erase(batches.begin());
    }
  }

  const BatchWindow shape;
  std::map<std::uint64_t, std::vector<std::string>> batches;

 private:
  StateLog log_;
};

template <class T>
class RecordWindowReader : public Producer<T> {
 public:
  using Producer<T>::Producer;

  void Block(std::string_view data) override { blocks_.emplace_back(data); }

  void Finish() override {
    this->Enter();
    RecordWindowState& state = this->template StateAs<RecordWindowState>();
    const std::uint64_t batch = this->setup().task->batch;
    if (!blocks_.empty()) state.Add(batch, std::move(blocks_));
    if (this->Fires()) Emit(state, batch);
    state.DropBefore(state.shape.OldestNeeded(batch));
  }

 private:
  void Emit(const RecordWindowState& state, std::uint64_t batch) {
    const std::uint64_t window = state.shape.window;
    const std::uint64_t lag = this->setup().description->lag;
    for (const auto& [number, blocks] : state.batches) {
      if (number + window <= batch || number + lag > batch) continue;
      for (const std::string& data : blocks) {
        for (BlockReader block(data); block.Next();) this->out_.Add(Decode<T>(block.in()));
        this->out_.Flush();
      }
    }
  }

  std::vector<std::string> blocks_;
};

// Counts are subtracted exactly, so of each batch one number is enough.
class CountWindowState : public OperatorState {
 public:
  explicit CountWindowState(const StateSetup& setup)
      : OperatorState(setup),
        shape(*setup.description),
        log_(*this, "counts", [this](std::uint32_t, std::uint64_t batch, std::string_view data) {
          Remember(batch, FromBytes<std::uint64_t>(data));
        }) {}

  void Add(std::uint64_t batch, std::uint64_t count) {
    log_.Append(0, batch, ToBytes(count));
    Remember(batch, count);
  }
  // The sum of the window that ends with this batch.
  std::uint64_t Sum(std::uint64_t batch) const {
    std::uint64_t sum = sum_;
    for (const auto& [number, count] : counts_) {
      if (number + shape.window > batch) break;
      sum -= count;
    }
    return sum;
  }
  void DropBefore(std::uint64_t batch) {
    for (; !counts_.empty() && counts_.front().first < batch; counts_.pop_front()) {
      sum_ -= counts_.front().second;
      log_.Delete(0, counts_.front().first);
    }
  }

  const BatchWindow shape;

 private:
  void Remember(std::uint64_t batch, std::uint64_t count) {
    counts_.emplace_back(batch, count);
    sum_ += count;
  }

  std::deque<std::pair<std::uint64_t, std::uint64_t>> counts_;
  std::uint64_t sum_ = 0;
  StateLog log_;
};

class CountWindowReader : public Producer<std::uint64_t> {
 public:
  using Producer<std::uint64_t>::Producer;

  void Block(std::string_view data) override {
    Enter();
    for (BlockReader block(data); block.Next();) count_ += Decode<std::uint64_t>(block.in());
  }
  void Finish() override {
    Enter();
    auto& state = StateAs<CountWindowState>();
    const std::uint64_t batch = setup().task->batch;
    if (count_ > 0) state.Add(batch, count_);
    if (Fires()) {
      out_.Add(state.Sum(batch));
      out_.Flush();
    }
    state.DropBefore(state.shape.OldestNeeded(batch));
  }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace millrace::detail
