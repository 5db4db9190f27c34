// CustomSink<T>: an output in the job's own code that writes exactly once. Its neighbour keeps, with the rows of each
// partition, a mark: the number of the batch that was written last. Rows and mark become visible in one atomic step (a
// transaction, a rename); after a failure the mark says what is there already.
//
//   class TableWriter : public millrace::CustomSinkWriter<Count> {
//     std::uint64_t LastMark() override;        // refuse older fences from now on; then read the mark; 0: none
//     void Stage(const millrace::CustomBatch& batch, std::span<const Count> rows) override;   // BEGIN; INSERT …
//     void Commit(std::uint64_t mark) override;                                               // UPDATE marks; COMMIT
//   };
//   class Table : public millrace::CustomSink<Count> {
//     std::unique_ptr<millrace::CustomSinkWriter<Count>> OpenWriter(const millrace::CustomPartition& p) override;
//   };
//   counts.ToSink(std::make_shared<Table>("/var/lib/counts.db")).Uid("counts");
//
// The runner calls LastMark first; then for each batch above it, in order, Stage and Commit. After anything was thrown
// the writer is destroyed, which drops what was staged, and a new one is opened: std::logic_error fails the job, all
// else is tried again with growing waits and is in the job's status. Commit may have happened although it threw: the
// next LastMark tells. Two owners of a partition may live at the same time for a moment, and the older one does not
// know yet: that is what the fence is for.
//
// A batch without rows is staged and committed like others. The object is made by the job's body, in the planner (which
// has no network and writes no file) and in each runner: its constructor only keeps what it is given. Thread rule:
// OpenWriter is called from several threads at once; a writer is used by one thread at a time, writers of different
// partitions at once, in one process and in several. Ownership: rows, and the texts that they view, live during the
// call. millrace/testing/sink_conformance.h tries a sink against all this.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine_connectors.h"
#include "millrace/internal/custom_values.h"

namespace millrace {

// Which partition of which output of which job, and the fence of its owner, which grows with every new one.
using CustomPartition = engine::SinkPartition;

struct CustomBatch {
  std::uint64_t batch = 0;  // 1, 2, 3 …: the mark that Commit is given
  std::chrono::sys_time<std::chrono::microseconds> time = {};
};

template <class T>
class CustomSinkWriter : public engine::SinkWriter {
 public:
  std::uint64_t LastMark() override = 0;
  virtual void Stage(const CustomBatch& batch, std::span<const T> rows) = 0;
  void Commit(std::uint64_t mark) override = 0;

  // For the runner.
  void StageRows(std::uint64_t batch, std::int64_t time_us, std::span<const engine::SinkRow> rows) final {
    rows_.clear();
    rows_.reserve(rows.size());
    for (const engine::SinkRow& row : rows) rows_.push_back(detail::FromValueBytes<T>(row.value));
    const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(time_us)};
    Stage(CustomBatch{batch, time}, std::span<const T>(rows_));
    rows_.clear();
  }

 private:
  std::vector<T> rows_;
};

template <class T>
class CustomSink : public engine::Sink {
 public:
  static_assert(detail::kIsPlainText<T> || Encodable<T>,
                "a CustomSink needs a millrace::Codec for its row type; see <millrace/codec.h>");
  using Record = T;
  virtual std::unique_ptr<CustomSinkWriter<T>> OpenWriter(const CustomPartition& partition) = 0;

  // For the runner.
  std::unique_ptr<engine::SinkWriter> Open(const CustomPartition& partition) final {
    auto writer = OpenWriter(partition);
    if (!writer) throw std::logic_error("OpenWriter gave no writer");
    return writer;
  }
};

}  // namespace millrace
