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
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::engine {

inline constexpr std::uint32_t kAbiVersion = 1;
inline constexpr std::string_view kSdkVersion = "0.1.0";

// Records travel in chunks of at most this many, so that a chain of operators costs one indirect call a chunk.
inline constexpr std::size_t kChunkRecords = 1024;

using Options = std::map<std::string, std::string>;

struct Header {
  std::string_view name;
  std::string_view value;
};

// One record as a source gives it. Views point into the source's buffers and live until the task's Finish has returned.
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
};

// What a task is, fixed for its life.
struct TaskContext {
  std::string job;  // job name
  std::uint64_t batch = 0;
  std::int64_t batch_time_us = 0;  // microseconds since the Unix epoch; all time that user code sees comes from here
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  std::uint32_t attempt = 0;
  std::uint64_t fence = 0;  // grows with every new owner of this partition: for sinks of one's own
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
  std::string connector;         // sources and sinks
  Options options;               // sources and sinks
  bool bounded = false;          // sources
  bool replayable = true;        // sources
  std::uint32_t partitions = 0;  // shuffles
  bool combine = false;          // shuffles
};

struct StageDescription {
  std::uint32_t id = 0;
  std::uint32_t root = 0;
  std::uint32_t partitions = 0;
  std::vector<std::uint32_t> operators;
  std::vector<std::uint32_t> shuffles;
  std::vector<std::uint32_t> sinks;
  bool runs_empty = false;
};

struct GraphDescription {
  std::string name;
  std::uint64_t batch_interval_us = 0;
  std::vector<OperatorDescription> operators;
  std::vector<StageDescription> stages;
};

class Program {
 public:
  virtual ~Program() = default;
  virtual const GraphDescription& description() const = 0;
  // Thread-safe. `output` and the memory behind context.current_operator outlive the task.
  virtual std::unique_ptr<Task> NewTask(const TaskContext& context, TaskOutput& output) const = 0;
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
// 1, and as description a text "abi=1;sdk=0.1.0;compiler=…;job=wordcount".
inline constexpr const char* kNoteSection = ".note.millrace";
inline constexpr const char* kNoteOwner = "Millrace";
inline constexpr std::uint32_t kNoteType = 1;

}  // namespace millrace::engine
