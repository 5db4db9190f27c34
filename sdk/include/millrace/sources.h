// What comes into a job: the options of each source, as typed structs. The functions that take them are on JobContext.
//
//   ctx.KafkaText({.brokers = "127.0.0.1:9092", .topics = {"clicks"}, .start = KafkaStart::Latest()});
//   ctx.GeneratorText({.rate = 1000, .count = 10'000});
//
// Plain data, copied into the graph. A value that must be there and is not is refused where the source is added; the
// rest is checked by the connector when the job is submitted.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine.h"
#include "millrace/internal/text.h"

namespace millrace {

// Where a job begins that has never read the topic. A job that goes on after a stop goes on where it was.
class KafkaStart {
 public:
  static KafkaStart Earliest() { return KafkaStart("earliest"); }
  static KafkaStart Latest() { return KafkaStart("latest"); }
  // At the first record of each partition that is not older than this.
  static KafkaStart Timestamp(std::chrono::sys_time<std::chrono::milliseconds> time) {
    return KafkaStart(detail::Cat("timestamp:", time.time_since_epoch().count()));
  }
  struct Offset {
    std::string topic = {};
    std::uint32_t partition = 0;
    std::int64_t offset = 0;
  };
  // At these offsets; partitions that are not named begin at their earliest record.
  static KafkaStart Offsets(const std::vector<Offset>& offsets) {
    std::string text = "offsets:";
    for (const Offset& one : offsets) {
      if (&one != &offsets.front()) text += ',';
      text += detail::Cat(one.topic, ":", one.partition, "=", one.offset);
    }
    return KafkaStart(std::move(text));
  }
  // As written in a configuration: "earliest", "latest", "timestamp:<ms>", "offsets:<topic>:<partition>=<offset>,...".
  static KafkaStart Parse(std::string text) { return KafkaStart(std::move(text)); }

  const std::string& text() const { return text_; }

 private:
  explicit KafkaStart(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

struct KafkaOptions {
  std::string brokers = {};              // "host:port,host:port"
  std::vector<std::string> topics = {};  // each may itself be a comma-separated list, as from an argument
  KafkaStart start = KafkaStart::Earliest();
  bool read_committed = true;  // false: also records of transactions that are open or were aborted
  std::chrono::milliseconds discovery_interval = std::chrono::seconds(5);  // how often new partitions are looked for
  std::uint64_t max_records_per_batch = 0;                                 // of each partition; 0: no limit
  std::map<std::string, std::string> rdkafka = {};  // any librdkafka consumer property: {{"fetch.min.bytes", "65536"}}
};

// Records made of their number: for benchmarks, tests and first steps. Record i of split s has the global index i *
// splits + s.
struct GeneratorOptions {
  std::uint64_t rate = 0;    // records a second over all splits; 0: as fast as batches ask, max_records_per_batch each
  std::uint32_t splits = 2;  // map tasks
  std::uint64_t seed = 1;    // given to the function with each index
  std::uint64_t count = 0;   // records in all, then the job is done; 0: no end
  std::uint64_t max_records_per_batch = 0;  // of each split; 0: the connector's own limit
  std::uint32_t words = 10;                 // GeneratorText alone: words in a line
  std::uint32_t vocabulary = 10'000;        // GeneratorText alone: different words
};

// Lines from a TCP server (`nc -lk 9999`): for trying things out. What a lost runner had not finished is lost.
struct SocketOptions {
  std::string host = {};
  std::uint16_t port = 0;
  std::uint64_t max_line_bytes = 1 << 20;  // longer lines are cut
};

// Lines of the files in a directory. A file is taken when it has its final name: write it elsewhere and rename it into
// place.
struct TextFilesOptions {
  std::string directory = {};
  std::string pattern = "*";  // of file names, as the shell's
  bool bounded = true;        // true: the files that are there, then the job is done; false: wait for more
  std::chrono::milliseconds discovery_interval = std::chrono::seconds(1);  // how often new files are looked for
};

namespace detail {

inline engine::Options ToMap(const KafkaOptions& options) {
  std::string topics;
  for (const std::string& topic : options.topics) {
    if (!topics.empty()) topics += ',';
    topics += topic;
  }
  engine::Options map = {{"brokers", options.brokers},
                         {"topics", topics},
                         {"start", options.start.text()},
                         {"isolation", options.read_committed ? "read_committed" : "read_uncommitted"},
                         {"discovery_interval_ms", std::to_string(options.discovery_interval.count())},
                         {"max_records_per_batch", std::to_string(options.max_records_per_batch)}};
  for (const auto& [name, value] : options.rdkafka) map["rdkafka." + name] = value;
  return map;
}

inline engine::Options ToMap(const GeneratorOptions& options) {
  return {{"rate", std::to_string(options.rate)},
          {"splits", std::to_string(options.splits)},
          {"seed", std::to_string(options.seed)},
          {"count", std::to_string(options.count)},
          {"max_records_per_batch", std::to_string(options.max_records_per_batch)}};
}

inline engine::Options ToMap(const SocketOptions& options) {
  return {{"host", options.host},
          {"port", std::to_string(options.port)},
          {"max_line_bytes", std::to_string(options.max_line_bytes)}};
}

inline engine::Options ToMap(const TextFilesOptions& options) {
  return {{"directory", options.directory},
          {"pattern", options.pattern},
          {"bounded", options.bounded ? "true" : "false"},
          {"discovery_interval_ms", std::to_string(options.discovery_interval.count())}};
}

}  // namespace detail
}  // namespace millrace
