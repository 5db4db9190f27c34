// The records of a fetch answer: batches of format 2 as the log has them, checked and cut into slices whose records are
// read where they lie.
//
//   RecordSet set = ParseRecordSet(buffer, bytes, from, aborted);
//   for (const RecordSlice& slice : set.slices) …            records at or behind `from`, in order
//   … go on at set.next …
//
// Left out are control records, records of aborted transactions, and those before `from`, which come when a batch
// begins earlier; a batch that the answer cuts off is not there yet. Every slice was walked through once, so that
// reading it cannot fail. Source: Kafka's message format, version 2 (KIP-98), and its consumer's rule for aborted
// transactions.
//
// Thread rule: a slice is immutable; its buffer is freed with the last slice in it, on any thread. `error`: DataLoss
// for what is damaged, FailedPrecondition for formats before version 2; the slices before it are good.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "millrace/engine.h"

namespace millrace::kafka {

// Who owns the bytes that records are views of.
using Buffer = std::shared_ptr<const void>;

struct RecordSlice {
  Buffer buffer;
  std::string_view bytes;  // whole records
  std::uint32_t records = 0;
  std::int64_t base_offset = 0;
  std::int64_t base_timestamp = 0;  // ms
  bool log_append_time = false;     // base_timestamp is the time of all
  std::int64_t next_offset = 0;     // behind the last record
};

struct AbortedTransaction {
  std::int64_t producer = 0;
  std::int64_t first_offset = 0;
};

struct RecordSet {
  std::vector<RecordSlice> slices;
  std::int64_t next = 0;  // where to fetch on: behind all that was looked at
  absl::Status error;
};

RecordSet ParseRecordSet(const Buffer& buffer, std::string_view bytes, std::int64_t from,
                         std::span<const AbortedTransaction> aborted);

// Reads records off the front of a slice.
class RecordWalker {
 public:
  explicit RecordWalker(const RecordSlice& slice) : slice_(slice), rest_(slice.bytes) {}

  // The next record, its headers appended to `headers` when that is given; false at the end, or when the bytes are no
  // record, which ok() tells.
  bool Next(engine::SourceRecord& record, std::vector<engine::Header>* headers);
  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

 private:
  const RecordSlice& slice_;
  std::string_view rest_;
  bool ok_ = true;
};

// Cuts a slice behind its first `count` records, or before the first record at or behind `offset`; what is cut off is
// the second.
std::pair<RecordSlice, RecordSlice> CutAfter(const RecordSlice& slice, std::uint32_t count);
std::pair<RecordSlice, RecordSlice> CutBefore(const RecordSlice& slice, std::int64_t offset);

}  // namespace millrace::kafka
