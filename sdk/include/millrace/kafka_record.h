// KafkaRecord: a record of a Kafka topic, as JobContext::Kafka gives it. Its views point into the consumer's buffers
// and live until the operator that got it returns; what is kept is an OwnedKafkaRecord (ForEachBatch and MapPartitions
// see to that themselves).
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/engine.h"
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

// A KafkaRecord with all its bytes in one piece of memory of its own, shared by its copies.
class OwnedKafkaRecord {
 public:
  explicit OwnedKafkaRecord(const KafkaRecord& from) : record_(from) {
    std::size_t size = from.key.size() + from.value.size() + from.topic.size();
    for (const engine::Header& header : from.headers) size += header.name.size() + header.value.size();
    auto memory = std::make_shared<Memory>();
    memory->bytes.resize(size);
    char* at = memory->bytes.data();
    record_.key = Copy(from.key, at);
    record_.value = Copy(from.value, at);
    record_.topic = Copy(from.topic, at);
    memory->headers.reserve(from.headers.size());
    for (const engine::Header& header : from.headers) {
      const std::string_view name = Copy(header.name, at);
      memory->headers.push_back({name, Copy(header.value, at)});
    }
    record_.headers = memory->headers;
    memory_ = std::move(memory);
  }
  const KafkaRecord& record() const { return record_; }

 private:
  struct Memory {
    std::vector<char> bytes;
    std::vector<engine::Header> headers;
  };
  static std::string_view Copy(std::string_view from, char*& at) {
    if (!from.empty()) std::memcpy(at, from.data(), from.size());
    const std::string_view copy(at, from.size());
    at += from.size();
    return copy;
  }

  KafkaRecord record_;
  std::shared_ptr<const Memory> memory_;
};

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
