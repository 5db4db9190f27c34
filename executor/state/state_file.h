// A file of state: entries in ascending order of keys, each key once, some of them deleted. It is read from begin to
// end, and whatever is missing, flipped or in the wrong place is found: DataLoss, naming the file.
//
//   MR_ASSIGN_OR_RETURN(auto writer, StateFileWriter::Make(store, "j-1/s3-p2-b17.delta"));
//   MR_RETURN_IF_ERROR(writer->Add(key, value));
//   MR_ASSIGN_OR_RETURN(const StateFileTotals totals, writer->Finish());
//
// Form, little endian: "MRSTATE1", blocks, a trailer, and nothing behind it. A block is: u32 payload length, u32 kind,
// u64 XXH3 of the payload, seeded with kind and offset; payload. Kind 1 holds about 64 KiB of entries: varints of the
// bytes shared with the key before (none for a block's first), of the key's other bytes, and of the value's length plus
// 1, or 0 when deleted; then the key's other bytes and the value. Kind 2 is the trailer: the five u64 of TrailerText.
//
// One thread at a time. The store outlives both. Errors besides DataLoss are the store's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "executor/state/checkpoint_store.h"
#include "executor/state/entry_cursor.h"

namespace millrace {

inline constexpr std::size_t kStateBlockBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMaxStateKeyBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxStateValueBytes = std::size_t{1} << 30;

struct StateFileTotals {
  std::uint64_t bytes = 0;    // of the file
  std::uint64_t entries = 0;  // deleted ones are counted
  std::uint64_t deleted = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  bool operator==(const StateFileTotals&) const = default;
};

class StateFileWriter {
 public:
  static absl::StatusOr<std::unique_ptr<StateFileWriter>> Make(CheckpointStore& store, const std::string& name);

  // The key must be greater than the one before, and neither part longer than the limits above.
  absl::Status Add(std::string_view key, std::string_view value) { return AddEntry(key, value, false); }
  absl::Status AddDeleted(std::string_view key) { return AddEntry(key, {}, true); }

  // Commits the file. Destroyed before, the writer leaves nothing behind.
  absl::StatusOr<StateFileTotals> Finish();

 private:
  explicit StateFileWriter(std::unique_ptr<CheckpointWriter> file) : file_(std::move(file)) {}
  absl::Status AddEntry(std::string_view key, std::string_view value, bool deleted);
  absl::Status WriteBlock(std::uint32_t kind);

  std::unique_ptr<CheckpointWriter> file_;
  std::string block_;  // with room for its header
  std::string last_key_;
  StateFileTotals totals_;
  std::uint64_t checksum_ = 0;  // over the blocks' checksums
};

class StateFileReader final : public EntryCursor {
 public:
  static absl::StatusOr<std::unique_ptr<StateFileReader>> Open(CheckpointStore& store, const std::string& name);

  absl::StatusOr<bool> Next() override;
  // What the file holds. Only after Next has given false.
  const StateFileTotals& totals() const { return totals_; }

 private:
  StateFileReader(std::unique_ptr<CheckpointReader> file, std::string where)
      : file_(std::move(file)), where_(std::move(where)) {}
  absl::Status Fill(std::size_t bytes);
  absl::Status ReadBlock();
  absl::Status CheckTrailer(std::string_view payload);
  absl::Status ParseEntry();
  absl::Status Damaged(std::string_view how) const;

  std::unique_ptr<CheckpointReader> file_;
  const std::string where_;
  std::string buffer_;  // read and not yet used: from begin_ to end_
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::string_view block_;  // entries not yet given, in buffer_
  std::uint64_t block_offset_ = 0;
  bool first_of_block_ = false;
  bool ended_ = false;
  std::string current_key_;
  StateFileTotals totals_;
  std::uint64_t checksum_ = 0;
};

}  // namespace millrace
