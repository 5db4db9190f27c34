// What a source connector is to the runner: it lists splits, and reads a split from a position. A position is data that
// only the connector understands (an offset, an index, a byte count, as text); everything else compares positions for
// equality alone.
//
// Exactness rests on one promise: Read(start, end) gives the same records as the Close that named that range, as long
// as the upstream still has them. A source that cannot promise it says replayable = false in its description.
//
// Thread rule: ListSplits runs on a thread of its own; each SplitReader is used by one thread at a time; different
// readers at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/state/open_checkpoint_store.h"
#include "millrace/engine.h"

namespace millrace {

// Records of one range. Owns the memory that its records point into.
class RecordBatch {
 public:
  virtual ~RecordBatch() = default;
  // The next records, at most engine::kChunkRecords; empty at the end. Their views live as long as this object.
  virtual std::span<const engine::SourceRecord> Next() = 0;
};

struct ClosedRange {
  std::string end;            // position after the last record; equal to the start when there are none
  std::uint64_t records = 0;  // exact
  bool finished = false;      // the split has no record at or after `end`, and never will
  std::unique_ptr<RecordBatch> data;
};

class SplitReader {
 public:
  virtual ~SplitReader() = default;
  // Closes a range at what is held now and hands it over: never waits for data. `start` is normally where the last
  // range ended; when it is not (a new owner, or a cut that never became a plan) the reader goes back or forward to it
  // first, which may wait for the upstream at most a few seconds. `max_records` 0: no limit but the reader's own
  // prefetch bound. Unavailable: try again later, nothing is consumed.
  virtual absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) = 0;
  // Reads exactly [start, end) again; may wait. DataLoss: the upstream no longer has it; the message says what is
  // missing. Afterwards the reader stands at `end`.
  virtual absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) = 0;
  // Stops receiving, if it receives: what it holds, and what had reached this machine, is still given by Close, and a
  // Close of nothing says that no more will come. May be called again.
  virtual void Drain() {}
  // Nothing before this position will be asked for again: a reader that holds it may let go of it.
  virtual void Forget(std::string_view /*end*/) {}
};

struct SplitStart {
  std::string split;  // unique within the source, stable for all time
  std::string start;  // where a job begins that has never read it
};

struct SplitList {
  std::vector<SplitStart> splits;  // all that exist now, in a stable order
  bool complete = false;           // no further split will ever appear
};

// One source operator in one runner.
class Source {
 public:
  virtual ~Source() = default;
  // Called before the first ListSplits when the job has listed this source before, on whatever runner: every split it
  // does not know yet has come since, so the option that says where a job begins is not for it.
  virtual void Resume() {}
  // Called again and again on one runner of the job, every discovery_interval. May wait a few seconds.
  // NotFound and InvalidArgument are permanent: they fail the job. Unavailable is retried and shown in the status.
  virtual absl::StatusOr<SplitList> ListSplits() = 0;
  // Begins to read (and prefetch) a split at `start`. Returns at once.
  virtual absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) = 0;
  // What is wrong now, for people ("broker 127.0.0.1:9092: Connection refused"); empty when well. Any thread.
  virtual std::string Problem() const = 0;
  // Whether its readers have a use for Forget, which is a little work for each range.
  virtual bool forgets() const { return false; }
  // How many records of one range may be closed piece by piece before it is cut, each piece with a Close of its own; 0:
  // none, which suits a source that gives in each Close what time or a rate allows.
  virtual std::uint64_t early_limit() const { return 0; }
  // How often to list again, in milliseconds.
  virtual std::int64_t discovery_interval_ms() const = 0;
};

// What a source may know of where it runs.
struct SourceEnvironment {
  std::string job_id;
  CheckpointPlace storage = {};  // shared by all runners of the job: where receivers keep what they have received
  const engine::Program* program = nullptr;  // the job, for sources in its own code; outlives the source
};

// Makes the source that `description.connector` names. InvalidArgument names an unknown connector, option or value and
// the nearest valid one.
absl::StatusOr<std::unique_ptr<Source>> MakeSource(const engine::OperatorDescription& description,
                                                   const SourceEnvironment& environment);

}  // namespace millrace
