// The exchanges that do not combine by key: GroupByKey, Repartition, Count and Reduce. As in combine_operators.h each
// is a writer at the end of the map stage and a reader at the root of the next. Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/internal/combine_operators.h"

namespace millrace::detail {

template <class K, class V>
class GroupWriter : public Consumer<std::pair<K, V>> {
 public:
  explicit GroupWriter(const OperatorSetup& setup)
      : Consumer<std::pair<K, V>>(setup), blocks_(setup.description->partitions) {}

  void Push(std::span<const std::pair<K, V>> chunk) override {
    this->Enter();
    for (const auto& [key, value] : chunk)
      blocks_.Add(PartitionOf(HashOf(key), *this->setup().description), key, value);
  }
  void Finish() override { blocks_.Give(this->setup().description->id, *this->setup().output); }

 private:
  PartitionBlocks blocks_;
};

template <class K, class V>
class GroupReader : public Producer<std::pair<Owned<K>, std::vector<Owned<V>>>> {
  using Table = CombineTable<typename InBlock<K>::Type, std::vector<Owned<V>>>;

 public:
  using Producer<std::pair<Owned<K>, std::vector<Owned<V>>>>::Producer;

  void Block(std::string_view data) override {
    this->Enter();
    MergeBlock<Owned<V>>(
        data, table_,
        [](Owned<V>&& value) {
          std::vector<Owned<V>> group;
          group.push_back(std::move(value));
          return group;
        },
        [](std::vector<Owned<V>>& group, Owned<V>&& value) { group.push_back(std::move(value)); });
  }

  void Finish() override {
    this->Enter();
    GiveEntries<K>(table_, this->out_);
  }

 private:
  Table table_;
};

// Round robin, beginning with the partition's own number so that many small partitions do not all begin at 0.
template <class T>
class RepartitionWriter : public Consumer<T> {
 public:
  explicit RepartitionWriter(const OperatorSetup& setup)
      : Consumer<T>(setup),
        blocks_(setup.description->partitions),
        next_(setup.task->partition % setup.description->partitions) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    for (const T& record : chunk) {
      blocks_.Add(next_, record);
      if (++next_ == blocks_.partitions()) next_ = 0;
    }
  }
  void Finish() override { blocks_.Give(this->setup().description->id, *this->setup().output); }

 private:
  PartitionBlocks blocks_;
  std::uint32_t next_;
};

template <class T>
class RepartitionReader : public Producer<T> {
 public:
  using Producer<T>::Producer;

  void Block(std::string_view data) override {
    this->Enter();
    for (BlockReader block(data); block.Next();) this->out_.Add(Decode<T>(block.in()));
    this->out_.Flush();
  }
};

template <class T>
class CountWriter : public Consumer<T> {
 public:
  using Consumer<T>::Consumer;

  void Push(std::span<const T> chunk) override { count_ += chunk.size(); }
  void Finish() override {
    PartitionBlocks blocks(1);
    blocks.Add(0, count_);
    blocks.Give(this->setup().description->id, *this->setup().output);
  }

 private:
  std::uint64_t count_ = 0;
};

class CountReader : public Producer<std::uint64_t> {
 public:
  using Producer<std::uint64_t>::Producer;

  void Block(std::string_view data) override {
    Enter();
    for (BlockReader block(data); block.Next();) count_ += Decode<std::uint64_t>(block.in());
  }
  void Finish() override {
    Enter();
    out_.Add(count_);
    out_.Flush();
  }

 private:
  std::uint64_t count_ = 0;
};

template <class T, class F>
class ReduceWriter : public Consumer<T> {
 public:
  ReduceWriter(const OperatorSetup& setup, const F& f) : Consumer<T>(setup), f_(f) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    for (const T& record : chunk) {
      if (acc_) {
        Fold<T>(*acc_, record, f_);
      } else {
        acc_.emplace(ToOwned<T>(record));
      }
    }
  }
  void Finish() override {
    this->Enter();
    PartitionBlocks blocks(1);
    if (acc_) blocks.Add(0, *acc_);
    acc_.reset();
    blocks.Give(this->setup().description->id, *this->setup().output);
  }

 private:
  const F& f_;
  std::optional<Owned<T>> acc_;
};

template <class T, class F>
class ReduceReader : public Producer<Owned<T>> {
 public:
  ReduceReader(const OperatorSetup& setup, const F& f) : Producer<Owned<T>>(setup), f_(f) {}

  void Block(std::string_view data) override {
    this->Enter();
    for (BlockReader block(data); block.Next();) {
      Owned<T> value = Decode<Owned<T>>(block.in());
      if (acc_) {
        Fold<T>(*acc_, ViewOf<T>(value), f_);
      } else {
        acc_.emplace(std::move(value));
      }
    }
  }
  void Finish() override {
    this->Enter();
    if (acc_) this->out_.Add(std::move(*acc_));
    this->out_.Flush();
    acc_.reset();
  }

 private:
  const F& f_;
  std::optional<Owned<T>> acc_;
};

}  // namespace millrace::detail
