// Records that a reader in the job's own code has read, with the position after each, copied in blocks that do not
// change any more once they are full.
//
//   BlockWriter writer(start);
//   writer.Add("value", "17");
//   std::shared_ptr<const RecordBlock> block = writer.Take();
//
// Thread rule: a block is immutable; a writer and a batch are used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "executor/connectors/source.h"

namespace millrace::custom {

class RecordBlock {
 public:
  std::size_t size() const { return records_.size(); }
  std::size_t memory() const { return bytes_.capacity() + records_.capacity() * sizeof(Record) + sizeof *this; }
  std::string_view value(std::size_t i) const {
    return std::string_view(bytes_).substr(records_[i].value_at, records_[i].next_at - records_[i].value_at);
  }
  // The position after the record.
  std::string_view next(std::size_t i) const {
    return std::string_view(bytes_).substr(records_[i].next_at, records_[i].next_size);
  }

 private:
  friend class BlockWriter;
  struct Record {
    std::uint32_t value_at;
    std::uint32_t next_at;
    std::uint32_t next_size;
  };
  std::string bytes_;
  std::vector<Record> records_;
};

class BlockWriter {
 public:
  static constexpr std::size_t kFullBytes = 256 << 10;

  // Throws std::logic_error for a position or a record that is not possible: it comes out of the author's Add.
  void Add(std::string_view value, std::string_view next);
  bool full() const { return block_->size() >= engine::kChunkRecords || block_->bytes_.size() >= kFullBytes; }
  bool empty() const { return block_->size() == 0; }
  std::shared_ptr<const RecordBlock> Take();

 private:
  std::shared_ptr<RecordBlock> block_ = std::make_shared<RecordBlock>();
};

// Records [first, first + count) of a block.
struct BlockSlice {
  std::shared_ptr<const RecordBlock> block;
  std::size_t first = 0;
  std::size_t count = 0;
};

class SlicedBatch final : public RecordBatch {
 public:
  SlicedBatch(std::string split, std::vector<BlockSlice> slices)
      : split_(std::move(split)), slices_(std::move(slices)) {}
  std::span<const engine::SourceRecord> Next() override;

 private:
  const std::string split_;
  const std::vector<BlockSlice> slices_;
  std::size_t slice_ = 0;
  std::size_t used_ = 0;
  std::vector<engine::SourceRecord> records_;
};

}  // namespace millrace::custom
