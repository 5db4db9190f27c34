// KafkaRecord: a record of a Kafka topic, as JobContext::Kafka gives it. Its views point into the consumer's buffers
// and live until the operator that got it returns; what is kept is an OwnedKafkaRecord (ForEachBatch and MapPartitions
// see to that themselves).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "millrace/engine.h"
#include "millrace/internal/owned_record.h"
#include "millrace/owned.h"
#include "millrace/to_text.h"

namespace millrace {

struct KafkaRecord {
  std::string_view key;  // empty when there is none
  std::string_view value;
  std::string_view topic;
  std::uint32_t partition = 0;
  std::int64_t offset = 0;
  std::chrono::sys_time<std::chrono::microseconds> timestamp;  // the epoch itself when the record has none
  std::span<const engine::Header> headers;
};
// It is all views: to send it between tasks, Map it first to what is needed of it.
template <>
inline constexpr bool kPlainAggregate<KafkaRecord> = false;

using OwnedKafkaRecord = detail::OwnedRecord<KafkaRecord>;

template <>
struct OwnedTraits<KafkaRecord> {
  using Type = OwnedKafkaRecord;
  static OwnedKafkaRecord Own(const KafkaRecord& value) { return OwnedKafkaRecord(value); }
  static const KafkaRecord& View(const OwnedKafkaRecord& value) { return value.record(); }
};

template <>
struct ToText<KafkaRecord> {
  static void Append(std::string& out, const KafkaRecord& value) {
    AppendText(out, value.topic);
    out += '/';
    AppendText(out, value.partition);
    out += '@';
    AppendText(out, value.offset);
    out += ' ';
    if (!value.key.empty()) {
      AppendText(out, value.key);
      out += " = ";
    }
    AppendText(out, value.value);
  }
};

}  // namespace millrace
