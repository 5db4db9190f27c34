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
#include "millrace/kafka_security.h"
#include "millrace/s3_access.h"

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

// Where a bounded job ends: before the record there, in each partition. The offsets are fixed when the job first lists
// the topics; when all are reached the job is done. Partitions and topics that come later are not read.
class KafkaEnd {
 public:
  static KafkaEnd Never() { return KafkaEnd(""); }
  static KafkaEnd Latest() { return KafkaEnd("latest"); }  // at what is there when the job begins
  // At the first record that is not older than this, among those that are there when the job begins.
  static KafkaEnd Timestamp(std::chrono::sys_time<std::chrono::milliseconds> time) {
    return KafkaEnd(KafkaStart::Timestamp(time).text());
  }
  // At these offsets; partitions that are not named end at what is there when the job begins.
  static KafkaEnd Offsets(const std::vector<KafkaStart::Offset>& offsets) {
    return KafkaEnd(KafkaStart::Offsets(offsets).text());
  }
  // As written in a configuration; empty: never.
  static KafkaEnd Parse(std::string text) { return KafkaEnd(std::move(text)); }

  const std::string& text() const { return text_; }

 private:
  explicit KafkaEnd(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// What becomes of records that the topic no longer has when the job comes to them: the job fails, or it goes on with
// the earliest record that is there, or behind the latest. What is skipped is in the journal and the log.
enum class KafkaOutOfRange : std::uint8_t { kFail, kEarliest, kLatest };

// Who fetches records: Millrace itself, straight from the brokers and without a copy, or librdkafka, which also reads
// the formats from before Kafka 0.11. kAuto: Millrace, unless rdkafka has properties of TLS or SASL.
enum class KafkaFetch : std::uint8_t { kAuto, kDirect, kLibrdkafka };

struct KafkaOptions {
  std::string brokers = {};              // "host:port,host:port"
  std::vector<std::string> topics = {};  // each may itself be a comma-separated list, as from an argument
  std::string topic_pattern = {};        // instead of topics: a regular expression for whole names, "clicks-.*"
  KafkaStart start = KafkaStart::Earliest();
  KafkaEnd end = KafkaEnd::Never();
  bool read_committed = true;  // false: also records of transactions that are open or were aborted
  std::chrono::milliseconds discovery_interval = std::chrono::seconds(5);  // how often new partitions are looked for
  std::uint64_t max_records_per_batch = 0;                                 // of each partition; 0: no limit
  KafkaOutOfRange out_of_range = KafkaOutOfRange::kFail;
  KafkaFetch fetch = KafkaFetch::kAuto;
  std::string group = {};       // a consumer group whose offsets follow the job, for tools that show its lag
  KafkaSecurity security = {};  // TLS and SASL
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

// Lines of the files under a directory, at any depth. A file is taken when it has its final name: write it elsewhere
// and rename it into place. Names that begin with '.' or '_' are left out; files that end in ".gz" or ".zst" are
// unpacked.
struct TextFilesOptions {
  std::string directory = {};                     // the same on every executor, or "s3://bucket/prefix"
  std::string pattern = "*";                      // of file names, as the shell's
  std::vector<std::string> ignore_suffixes = {};  // files that are not complete: {".tmp", ".part"}; without commas
  bool bounded = true;  // true: the files that are there, then the job is done; false: wait for more
  std::chrono::milliseconds discovery_interval = std::chrono::seconds(1);  // how often new files are looked for
  S3Access s3 = {};
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
  const auto add = [&map](const char* name, std::string_view value) {
    if (!value.empty()) map[name] = value;
  };
  add("topic_pattern", options.topic_pattern);
  add("end", options.end.text());
  add("group", options.group);
  if (options.fetch == KafkaFetch::kDirect) add("fetch", "direct");
  if (options.fetch == KafkaFetch::kLibrdkafka) add("fetch", "librdkafka");
  if (options.out_of_range == KafkaOutOfRange::kEarliest) add("out_of_range", "earliest");
  if (options.out_of_range == KafkaOutOfRange::kLatest) add("out_of_range", "latest");
  AddToMap(options.security, map);
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

inline engine::Options ToMap(const TextFilesOptions& options) {
  engine::Options map = {{"directory", options.directory},
                         {"pattern", options.pattern},
                         {"bounded", options.bounded ? "true" : "false"},
                         {"discovery_interval_ms", std::to_string(options.discovery_interval.count())}};
  for (const std::string& suffix : options.ignore_suffixes) {
    std::string& all = map["ignore_suffixes"];
    if (!all.empty()) all += ',';
    all += suffix;
  }
  AddToMap(options.s3, map);
  return map;
}

}  // namespace detail
}  // namespace millrace
