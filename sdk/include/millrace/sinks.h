// What goes out of a job: the options of ToKafka and ToFiles, and Output, what an output operator returns.
//
//   counts.ToKafka({.brokers = "127.0.0.1:9092", .topic = "counts"}).Uid("counts-out");
//   lines.ToFiles({.directory = "/var/lib/words"});
//
// Plain data, copied into the graph. A missing value is refused where the output is added; the rest is checked when the
// job is submitted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/internal/stream_base.h"
#include "millrace/kafka_security.h"
#include "millrace/s3_access.h"

namespace millrace {

// Exactly once by default: the rows of a batch and the mark of that batch are one Kafka transaction.
struct KafkaSinkOptions {
  std::string brokers = {};  // "host:port,host:port"
  std::string topic = {};
  bool exactly_once = true;  // false: no transactions, lower latency, at least once
  // A topic that is not there is made with so many partitions; 0: it must be there. One that is there stays as it is.
  std::uint32_t create_partitions = 0;
  std::uint32_t replication_factor = 0;                  // of a topic that is made; 0: what the brokers are set to
  std::map<std::string, std::string> topic_config = {};  // of a topic that is made: {{"retention.ms", "86400000"}}
  KafkaSecurity security = {};                           // TLS and SASL
  std::map<std::string, std::string> rdkafka = {};       // any librdkafka producer property: {{"linger.ms", "5"}}
};

// A record for Kafka, as the function given to ToKafka makes it.
struct KafkaOutput {
  std::optional<std::string> key = {};  // nullopt: no key
  std::string value = {};
};

enum class FileCompression : std::uint8_t { kNone, kGzip, kZstd };

// Exactly once: one file for each batch and partition that has rows, which appears complete or not at all.
struct FilesSinkOptions {
  std::string directory = {};  // the same on every executor, or "s3://bucket/prefix"
  std::string suffix = ".txt";
  FileCompression compression = FileCompression::kNone;  // adds ".gz" or ".zst" to the suffix
  S3Access s3 = {};
};

// The end of a stream. Uid makes an output known under the same name in the next version of the job; Name is for
// people.
class Output : public detail::StreamBase {
 public:
  using StreamBase::StreamBase;
  const Output& Uid(std::string_view uid) const {
    SetUid(uid);
    return *this;
  }
  const Output& Name(std::string_view name) const {
    SetName(name);
    return *this;
  }
};

}  // namespace millrace
