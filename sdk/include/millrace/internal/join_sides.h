// How an operator of two streams gets both: a shuffle has one record type, so an operator without exchange makes
// EitherOf of each stream's records, and the writer of the shuffle puts the two apart again.
//
// An EitherOf points to a record of the chunk that is on its way, so nothing is copied for it. The block of one map
// task for one partition holds first all its records of the left stream, then all of the right one: what it holds does
// not depend on how the two came in chunks. Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/codec.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/shuffle_block.h"
#include "millrace/internal/type_name.h"

namespace millrace::detail {

// One of the two is set.
template <class A, class B>
struct EitherOf {
  const A* left = nullptr;
  const B* right = nullptr;
};

template <class A, class B>
struct TypeNamer<EitherOf<A, B>> {
  static std::string Name() { return "either " + TypeName<A>() + " or " + TypeName<B>(); }
};

template <class A, class B, bool kLeft>
class SideOperator : public Producer<EitherOf<A, B>, Consumer<std::conditional_t<kLeft, A, B>>> {
  using In = std::conditional_t<kLeft, A, B>;

 public:
  using Producer<EitherOf<A, B>, Consumer<In>>::Producer;

  void Push(std::span<const In> chunk) override {
    for (const In& record : chunk) {
      if constexpr (kLeft) {
        this->out_.Add(EitherOf<A, B>{&record, nullptr});
      } else {
        this->out_.Add(EitherOf<A, B>{nullptr, &record});
      }
    }
    this->out_.Flush();
  }
};

// The blocks of a task: two to a partition, each as shuffle_block.h has it, behind one another.
class SideBlocks {
 public:
  explicit SideBlocks(std::uint32_t partitions) : left_(partitions), right_(partitions) {}

  PartitionBlocks& left() { return left_; }
  PartitionBlocks& right() { return right_; }

  // Gives every block away, the empty ones too.
  void Give(std::uint32_t shuffle, engine::TaskOutput& output) {
    for (std::uint32_t p = 0; p < left_.partitions(); ++p) {
      std::uint64_t records = 0;
      std::string data;
      ByteWriter out(data);
      for (PartitionBlocks* side : {&left_, &right_}) {
        auto [block, count] = side->Take(p);
        out.Text(block);
        records += count;
      }
      output.Block(shuffle, p, std::move(data), records);
    }
  }

 private:
  PartitionBlocks left_;
  PartitionBlocks right_;
};

// The two blocks in one.
struct BothSides {
  explicit BothSides(std::string_view data) {
    ByteReader in(data);
    left = in.Text();
    right = in.Text();
    if (!in.empty()) ByteReader::Fail("bytes are left over after the second block");
  }
  std::string_view left;
  std::string_view right;
};

// Sends pairs by their key.
template <class A, class B>
class KeyedSidesWriter : public Consumer<EitherOf<A, B>> {
 public:
  explicit KeyedSidesWriter(const OperatorSetup& setup)
      : Consumer<EitherOf<A, B>>(setup), blocks_(setup.description->partitions) {}

  void Push(std::span<const EitherOf<A, B>> chunk) override {
    this->Enter();
    for (const EitherOf<A, B>& one : chunk) {
      if (one.left != nullptr) {
        Add(blocks_.left(), *one.left);
      } else {
        Add(blocks_.right(), *one.right);
      }
    }
  }
  void Finish() override { blocks_.Give(this->setup().description->id, *this->setup().output); }

 private:
  template <class Pair>
  void Add(PartitionBlocks& blocks, const Pair& pair) {
    blocks.Add(PartitionOf(HashOf(pair.first), *this->setup().description), pair.first, pair.second);
  }

  SideBlocks blocks_;
};

}  // namespace millrace::detail
