#include "executor/connectors/kafka/message_batch.h"

#include <algorithm>

namespace millrace::kafka {

std::span<const engine::SourceRecord> MessageBatch::Next() {
  const std::size_t end = std::min(messages_.size(), next_ + engine::kChunkRecords);
  records_.clear();
  records_.reserve(end - next_);
  for (; next_ < end; ++next_) {
    rd_kafka_message_t* message = messages_[next_].get();
    engine::SourceRecord& record = records_.emplace_back();
    if (message->key_len > 0) record.key = {static_cast<const char*>(message->key), message->key_len};
    if (message->len > 0) record.value = {static_cast<const char*>(message->payload), message->len};
    record.position = message->offset;
    const std::int64_t timestamp_ms = rd_kafka_message_timestamp(message, nullptr);
    record.timestamp_us = timestamp_ms > 0 ? timestamp_ms * 1000 : 0;
    record.partition = static_cast<std::uint32_t>(message->partition);
    record.topic = *topic_;
    if (with_headers_) ParseHeaders(message, record);
  }
  return records_;
}

void MessageBatch::ParseHeaders(rd_kafka_message_t* message, engine::SourceRecord& record) {
  // librdkafka leaves headers unparsed until they are asked for, and says at once when there are none.
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  std::vector<engine::Header>& parsed = headers_.emplace_back();
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    parsed.push_back(
        {name, value == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(value), size)});
  }
  record.headers = parsed.data();
  record.header_count = static_cast<std::uint32_t>(parsed.size());
}

}  // namespace millrace::kafka
