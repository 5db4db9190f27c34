// The boundary between a job library and the runner that loads it: untyped, std-only, and the only part of the SDK the
// runner knows. The typed API in <millrace/dstream.h> builds a Program behind this interface; the runner drives it.
//
// A task is one partition of one stage in one batch. The runner creates it, feeds it its input, finishes it, and later,
// when the batch's plan is durable, lets it make its outputs visible. A task is used by one thread at a time; tasks of
// one Program run on many threads at once, so user functions must not share unguarded mutable state.
//
// Errors: every call into the library may throw; the runner catches, names the operator, and fails the attempt.
//
// This header is ABI: any change to a type here must raise kAbiVersion.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::engine {

inline constexpr std::uint32_t kAbiVersion = 7;
inline constexpr std::string_view kSdkVersion = "0.1.0";

// Records travel in chunks of at most this many, so that a chain of operators costs one indirect call a chunk.
inline constexpr std::size_t kChunkRecords = 1024;

using Options = std::map<std::string, std::string>;

struct Header {
  std::string_view name;
  std::string_view value;
};

// One record as a source gives it. Views point into the source's buffers and live until the call of
// Records that brings them has returned.
struct SourceRecord {
  std::string_view key;
  std::string_view value;
  std::int64_t position = 0;      // Kafka offset, generator index, byte offset of a line
  std::int64_t timestamp_us = 0;  // microseconds since the Unix epoch; 0 when the source knows none
  const Header* headers = nullptr;
  std::uint32_t header_count = 0;
  std::uint32_t partition = 0;  // Kafka partition, generator split
  std::string_view topic;       // Kafka topic, file name; empty when the source knows none
};

// One record for a sink. Views need live only during the call that gives it.
struct SinkRow {
  std::string_view key;
  std::string_view value;
  bool has_key = false;
};

// Where a task writes. Implemented by the runner; called on the task's thread.
class TaskOutput {
 public:
  virtual ~TaskOutput() = default;
  // The records of this task for one reduce partition of a shuffle. Called exactly once for each partition of each
  // shuffle the stage writes, from Finish, also when there are none.
  virtual void Block(std::uint32_t shuffle, std::uint32_t partition, std::string data, std::uint64_t records) = 0;
  // Rows for a connector sink, in order. The runner holds them until the batch may commit.
  virtual void Rows(std::uint32_t sink, std::span<const SinkRow> rows) = 0;
  // Adds to a counter of an operator: "bad_records", "late_records", or a name of the job's own. Counts of an attempt
  // that fails are dropped.
  virtual void Count(std::uint32_t op, std::string_view counter, std::uint64_t add) = 0;
};

// ---- state ----
//
// What operators remember from one batch to the next. It belongs to a partition of a stage that begins with a shuffle,
// and moves with it. It is data at every moment: entries of a key and a value, both bytes. A key is
//
//   uid of the operator, 0, name of the state, 0, key group (2 bytes, big endian), encoded key
//
// where the uid is the author's, or "#" and the operator's id. A checkpoint is a set of such entries; so state can be
// moved between the two backends, to another number of partitions (by key group), and into a changed job (by uid).
//
// In memory: the library holds the entries in its own typed tables. The runner loads them by Load and Loaded, and takes
// what has changed by TakeChanges and TakeMore. On disk (RocksDB): the entries are in a StateStore; the library reads
// and writes them there, and keeps no more than the entries of one batch.

// Entries on disk, ordered by their keys' bytes. Implemented by the runner. One thread at a time. What a task writes is
// seen by its own reads at once, and becomes part of the state when its Finish has returned; the writes of a task that
// throws are dropped. Errors (disk full, damage) are thrown as std::runtime_error and fail the attempt.
class StateStore {
 public:
  virtual ~StateStore() = default;
  // False: there is none.
  virtual bool Get(std::string_view key, std::string& value) = 0;
  virtual void Put(std::string_view key, std::string_view value) = 0;
  virtual void Delete(std::string_view key) = 0;
  // Entries with from <= key < to (`to` empty: to the end), ascending, until `visit` gives false. `visit` must not
  // write; what it is given lives until it returns.
  virtual void Scan(std::string_view from, std::string_view to,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
};

// Receives changes of entries; each key at most once, in any order. Implemented by the runner.
class StateChanges {
 public:
  virtual ~StateChanges() = default;
  virtual void Put(std::string_view key, std::string_view value) = 0;
  virtual void Delete(std::string_view key) = 0;
};

// The state of all operators of one stage partition. Made by Program::NewState, handed to each of the partition's tasks
// in batch order, used by one thread at a time. After a task has thrown it is only good for destruction: the partition
// is then restored from its last checkpoint.
class State {
 public:
  virtual ~State() = default;
  // Restoring, in memory only: every entry once, in ascending order of keys.
  virtual void Load(std::string_view key, std::string_view value) = 0;
  // Restoring is over (or there was nothing to restore); called once before the first task, with either backend.
  virtual void Loaded() = 0;
  // In memory only, between tasks: begins to give every entry that has changed since the last call, or since Loaded, as
  // it is now. What it does not give at once comes with calls of TakeMore, or, just before a task changes an entry,
  // from within that task: so tasks may go on at once. `changes` must live until TakeMore has given false, and that
  // must be before the next call. Each key is given at most once.
  virtual void TakeChanges(StateChanges& changes) = 0;
  // Between tasks: gives some of what is left, about `entries` of it. False: nothing is left.
  virtual bool TakeMore(std::size_t entries) = 0;
  // How much memory it takes, roughly.
  virtual std::uint64_t bytes() const = 0;
};

// ---- lookups ----

// Rows of tables outside of the job, asked for by a task while it runs. Implemented by the runner, which has the client
// and a cache. Keys and rows are values as <millrace/internal/cassandra_row.h> writes them.
class Lookups {
 public:
  virtual ~Lookups() = default;
  // The rows of these keys in the table of operator `op`, in the order of the keys; null: there is none. Waits for as
  // long as the server is away. Throws what no waiting mends; the attempt has then failed.
  virtual std::vector<std::shared_ptr<const std::string>> Find(std::uint32_t op, std::span<const std::string> keys) = 0;
};

// What a task is, fixed for its life.
struct TaskContext {
  std::string job;  // job name
  std::uint64_t batch = 0;
  std::int64_t batch_time_us = 0;  // microseconds since the Unix epoch; all time that user code sees comes from here
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  std::uint32_t attempt = 0;
  std::uint64_t fence = 0;     // grows with every new owner of this partition: for sinks of one's own
  State* state = nullptr;      // of a stateful stage: what Program::NewState gave for this stage and partition
  Lookups* lookups = nullptr;  // of a job that looks rows up; outlives the task
  // The operator whose user code runs now; written by the library before each chunk, read by the runner's crash
  // handler.
  volatile std::uint32_t* current_operator = nullptr;
};

class Task {
 public:
  virtual ~Task() = default;
  // Input of a stage that begins with a source. At most kChunkRecords.
  virtual void Records(std::span<const SourceRecord> records) = 0;
  // Input of a stage that begins with a shuffle: blocks in map-partition order. `data` lives until Finish has returned.
  virtual void Block(std::string_view data) = 0;
  // No more input. When it returns, every block and row has been given to TaskOutput.
  virtual void Finish() = 0;
  // Runs a ForEachBatch function on what the task collected for it. After Finish, after the batch's plan is durable.
  virtual void RunFunction(std::uint32_t sink) = 0;
};

// What becomes of a record for which an operator's function throws.
enum class BadRecords : std::uint32_t {
  kFail = 0,        // the attempt fails, and after some attempts the job
  kSkip = 1,        // it is left out and counted ("bad_records")
  kDeadLetter = 2,  // counted, and handed to the consumers of the operator's side output
};

enum class OperatorKind : std::uint32_t { kSource = 1, kNarrow = 2, kShuffle = 3, kSink = 4 };

// The graph as data; millrace/v1/plan.proto explains every field.
struct OperatorDescription {
  std::uint32_t id = 0;
  std::string uid;
  OperatorKind kind = OperatorKind::kNarrow;
  std::string name;
  std::vector<std::uint32_t> inputs;
  std::string output_type;
  std::string location;
  std::string connector;         // sources, sinks, and narrow operators that look rows up
  Options options;               // of the connector; of a shuffle "storage": "memory", "disk" or
                                 // "memory and disk", and "replicated" when two runners keep its blocks
  bool bounded = false;          // sources
  bool replayable = true;        // sources
  bool receiver = false;         // sources: an upstream pushes; a drain stops it first
  std::uint32_t partitions = 0;  // shuffles
  bool combine = false;          // shuffles
  bool side = false;             // consumes the side output of its only input: bad records
  BadRecords bad_records = BadRecords::kFail;
  // Batches between two results: the operator gives records only in batches whose number is a multiple of it, and
  // consumes those of its inputs' period.
  std::uint32_t period = 1;
  std::uint32_t input_period = 1;
  std::uint32_t window = 0;      // batches that a window covers; 0: none
  std::uint32_t lag = 0;         // batches that it leaves out at its young end
  bool stateful = false;         // shuffles alone: it keeps state from batch to batch
  std::uint32_t key_groups = 0;  // of a stateful operator; its partitions are ranges of them
  std::string state;             // what it keeps, for people and for the comparison with older versions of the job
};

struct StageDescription {
  std::uint32_t id = 0;
  std::uint32_t root = 0;
  std::uint32_t partitions = 0;
  std::vector<std::uint32_t> operators;
  std::vector<std::uint32_t> shuffles;
  std::vector<std::uint32_t> sinks;
  bool runs_empty = false;
  bool stateful = false;  // its root keeps state: it runs in every batch, and its partitions have a State each
};

enum class StateBackend : std::uint32_t { kMemory = 0, kRocksDb = 1 };

struct GraphDescription {
  std::string name;
  std::uint64_t batch_interval_us = 0;
  std::uint64_t checkpoint_interval_us = 0;  // of state; 0: nothing keeps any
  std::uint64_t remember_us = 0;             // how long the rows of Print are kept to be asked for
  StateBackend state_backend = StateBackend::kMemory;
  std::uint32_t key_groups = 128;
  std::vector<OperatorDescription> operators;
  std::vector<StageDescription> stages;
};

// Connectors in the job's own code, in <millrace/engine_connectors.h>.
class Source;
class Receiver;
class Sink;

class Program {
 public:
  virtual ~Program() = default;
  virtual const GraphDescription& description() const = 0;
  // Thread-safe. `output` and the memory behind context.current_operator outlive the task.
  virtual std::unique_ptr<Task> NewTask(const TaskContext& context, TaskOutput& output) const = 0;
  // The empty state of a partition of a stateful stage. `store` null: in memory; else it outlives the state.
  // Thread-safe.
  virtual std::unique_ptr<State> NewState(std::uint32_t stage, std::uint32_t partition, StateStore* store) const = 0;

  // What the connectors "custom" (a source, or a sink) and "custom_receiver" run; null: the operator has none. They may
  // outlive the program. Thread-safe.
  virtual std::shared_ptr<Source> FindSource(std::uint32_t /*op*/) const { return nullptr; }
  virtual std::shared_ptr<Receiver> NewReceiver(std::uint32_t /*op*/, const std::string& /*name*/) const {
    return nullptr;
  }
  virtual std::shared_ptr<Sink> FindSink(std::uint32_t /*op*/) const { return nullptr; }
};

// What submit gives a job body.
struct JobParameters {
  std::string name;                     // empty: the library's own name
  Options arguments;                    // ctx.Arg("topic")
  std::uint64_t batch_interval_us = 0;  // 0: the job's own
};

// The entry point of a job library, `extern "C"`, named kEntryPoint. Runs the job body once. Throws std::exception with
// the planner's message when the graph is wrong.
using CreateProgram = std::unique_ptr<Program> (*)(const JobParameters& parameters);
inline constexpr const char* kEntryPoint = "millrace_create_program_v1";

// Every job library carries an ELF note, read before anything in it runs: section kNoteSection, owner "Millrace", type
// 1, and as description a text "abi=7;sdk=0.1.0;compiler=…;job=wordcount".
inline constexpr const char* kNoteSection = ".note.millrace";
inline constexpr const char* kNoteOwner = "Millrace";
inline constexpr std::uint32_t kNoteType = 1;

}  // namespace millrace::engine
