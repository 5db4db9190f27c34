// The boundary between the runner and connectors that are part of a job's own code. Untyped; authors derive from the
// typed classes in custom_source.h, custom_receiver.h and custom_sink.h, which sit on these.
//
// Errors: every call may throw. std::logic_error, and what is derived from it, says that trying again is of no use: the
// job fails with its text. Anything else is tried again with growing waits, and its text is in the job's status.
//
// This header is ABI, as engine.h is.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/engine.h"

namespace millrace::engine {

// ---- a source that can be read again ----

struct SplitStart {
  std::string name;   // unique within the source, the same for all time
  std::string start;  // the position where a job begins that has never read it
};

struct SplitList {
  std::vector<SplitStart> splits;  // all that exist now, in a stable order
  bool complete = false;           // no further split will ever appear
};

// Takes what a reader reads. Implemented by the runner; used during the call of ReadInto that it was given to.
class ReadOutput {
 public:
  virtual ~ReadOutput() = default;
  // Copies the record; `next` is the position after it. False: it was taken, and ReadInto is to return now.
  virtual bool Add(std::string_view value, std::string_view next) = 0;
  // False: ReadInto is to return now, what it has read is wanted later or not at all.
  virtual bool wanted() const = 0;
};

enum class ReadEnd : std::uint32_t {
  kNothingNow = 0,  // it is called again, after the poll interval when nothing was added
  kEnd = 1,         // the split has no record after those added, and never will
};

class SplitReader {
 public:
  virtual ~SplitReader() = default;
  virtual ReadEnd ReadInto(ReadOutput& output, std::string_view from) = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual SplitList ListSplits() = 0;
  virtual std::unique_ptr<SplitReader> Open(const std::string& split) = 0;
};

// ---- a receiver, to which an upstream pushes ----

struct ReceivedValue {
  std::string_view value;
  std::string_view id;  // the same when the upstream sends the record again; empty: it has none
};

enum class StoreOutcome : std::uint32_t {
  kStored = 0,    // all of it is on stable storage: acknowledge
  kEnded = 1,     // this receiver is at its end: acknowledge nothing, store no more
  kTooLarge = 2,  // a record is larger than is possible: nothing of the call was stored
  kFailed = 3,    // the storage fails: nothing counts as stored, try again later
};

struct StoreResult {
  StoreOutcome outcome = StoreOutcome::kStored;
  std::string why = {};  // of another outcome than kStored, for people
  bool ok() const { return outcome == StoreOutcome::kStored; }
};

// Implemented by the runner; outlives the receiver. Any thread, several at once.
class ReceiverOutput {
 public:
  virtual ~ReceiverOutput() = default;
  // Returns when the records are safe, all of them and in this order, or will not be.
  virtual StoreResult Store(std::span<const ReceivedValue> records) = 0;
  // What is wrong now, for the job's status; empty: all is well again.
  virtual void Report(std::string problem) = 0;
  // Asks for Stop and then StartWith, from another thread and after a wait that grows with every restart in a row.
  virtual void Restart(std::string why) = 0;
};

class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void StartWith(ReceiverOutput& output) = 0;
  virtual void Stop() = 0;
};

// ---- a sink that keeps a mark with its output ----

// A partition of a sink, the same for every owner that it ever has but for the fence.
struct SinkPartition {
  std::string job_id;
  std::string job_name;
  std::string sink;  // the output's Uid, or "op7"
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  std::uint64_t fence = 0;  // grows with every new owner
};

class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  // Fences every writer of the partition with a smaller fence, and gives the mark made last, by whomever; 0: none.
  virtual std::uint64_t LastMark() = 0;
  // The rows of a batch, which nobody is to see yet. `time_us`: of the batch, since the Unix epoch.
  virtual void StageRows(std::uint64_t batch, std::int64_t time_us, std::span<const SinkRow> rows) = 0;
  // Makes them visible together with the mark `batch`, in one step.
  virtual void Commit(std::uint64_t batch) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual std::unique_ptr<SinkWriter> Open(const SinkPartition& partition) = 0;
};

}  // namespace millrace::engine
