// What a sink connector is to the runner. A writer belongs to one partition of one sink; it makes the rows of a batch
// and the mark of that batch visible in one atomic step, and can say which mark it made last, whoever made it. That is
// all exactly-once needs.
//
//   auto mark = writer->Open();            // fences every older writer of this partition, then reads the mark
//   if (batch > *mark) { writer->Stage(batch, time, rows); writer->Commit(batch); }
//
// Thread rule: one thread at a time. Calls may wait for the neighbour; each has a deadline of its own and returns
// Unavailable when it passes. After any error but from Open the writer is closed: the runner opens a new one, reads the
// mark and decides again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "millrace/engine.h"

namespace millrace {

// Rows of one task for one sink, copied into memory of its own. Append-only.
class RowBuffer {
 public:
  void Append(std::span<const engine::SinkRow> rows);
  std::span<const engine::SinkRow> rows() const { return rows_; }
  bool empty() const { return rows_.empty(); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::string_view Copy(std::string_view text);
  std::deque<std::string> arena_;  // blocks of a fixed capacity, never reallocated
  std::vector<engine::SinkRow> rows_;
  std::size_t bytes_ = 0;
};

// Identity of a sink partition, the same for every owner it ever has.
struct SinkPartition {
  std::string job_id;
  std::string job_name;
  std::string sink;  // uid, or "op7"
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  std::uint64_t epoch = 0;  // fence: (epoch, version) grows with every new owner
  std::uint64_t version = 0;
};

class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  // Fences older writers and returns the last mark, 0 if none.
  virtual absl::StatusOr<std::uint64_t> Open() = 0;
  virtual absl::Status Stage(std::uint64_t batch, std::int64_t batch_time_us, const RowBuffer& rows) = 0;
  virtual absl::Status Commit(std::uint64_t batch) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual absl::StatusOr<std::unique_ptr<SinkWriter>> NewWriter(const SinkPartition& partition) = 0;
};

// Makes the sink that `description.connector` names: "kafka", "cassandra", "rabbitmq", "files", or "custom", which is
// in the job's own code, in `program`. ("console" and "function" are the runner's own.) InvalidArgument names an
// unknown connector, option or value and the nearest valid one.
absl::StatusOr<std::unique_ptr<Sink>> MakeSink(const engine::OperatorDescription& description,
                                               const engine::Program* program = nullptr);

}  // namespace millrace
