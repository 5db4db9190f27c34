#include "executor/connectors/rabbitmq/delivery_batch.h"

#include <limits>

#include "common/status.h"
#include "executor/connectors/rabbitmq/amqp_text.h"

namespace millrace::rabbitmq {
namespace {

constexpr std::size_t kKeptBytes = 16 * 1024 * 1024;  // a batch of large messages gives its memory back

// False for what has no plain text: tables, lists, decimals.
bool AsText(const amqp_field_value_t& value, std::string& out) {
  switch (value.kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      out = Text(value.value.bytes);
      return true;
    case AMQP_FIELD_KIND_BOOLEAN:
      out = value.value.boolean != 0 ? "true" : "false";
      return true;
    case AMQP_FIELD_KIND_I8:
      out = std::to_string(value.value.i8);
      return true;
    case AMQP_FIELD_KIND_U8:
      out = std::to_string(value.value.u8);
      return true;
    case AMQP_FIELD_KIND_I16:
      out = std::to_string(value.value.i16);
      return true;
    case AMQP_FIELD_KIND_U16:
      out = std::to_string(value.value.u16);
      return true;
    case AMQP_FIELD_KIND_I32:
      out = std::to_string(value.value.i32);
      return true;
    case AMQP_FIELD_KIND_U32:
      out = std::to_string(value.value.u32);
      return true;
    case AMQP_FIELD_KIND_I64:
      out = std::to_string(value.value.i64);
      return true;
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      out = std::to_string(value.value.u64);
      return true;
    case AMQP_FIELD_KIND_F32:
      out = Concat(static_cast<double>(value.value.f32));
      return true;
    case AMQP_FIELD_KIND_F64:
      out = Concat(value.value.f64);
      return true;
    case AMQP_FIELD_KIND_VOID:
      out.clear();
      return true;
    default:
      return false;
  }
}

// AMQP's timestamps are whole seconds; what does not fit is none.
std::int64_t Microseconds(std::uint64_t seconds) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  return seconds <= kMost ? static_cast<std::int64_t>(seconds) * 1'000'000 : 0;
}

}  // namespace

DeliveryBatch::Slice DeliveryBatch::Keep(std::string_view text) {
  const Slice slice{bytes_.size(), text.size()};
  bytes_.append(text);
  return slice;
}

void DeliveryBatch::AddHeader(std::string_view name, std::string_view value) {
  const Slice kept = Keep(name);
  header_slices_.push_back({kept, Keep(value)});
  ++deliveries_.back().headers;
}

void DeliveryBatch::AddTable(const amqp_table_t& table) {
  std::string text;
  for (int i = 0; i < table.num_entries; ++i) {
    const amqp_table_entry_t& entry = table.entries[i];
    if (AsText(entry.value, text)) AddHeader(Text(entry.key), text);
  }
}

void DeliveryBatch::Begin(std::uint64_t tag, std::string_view routing_key) {
  Delivery delivery;
  delivery.tag = tag;
  delivery.key = Keep(routing_key);
  delivery.first_header = header_slices_.size();
  deliveries_.push_back(delivery);
}

void DeliveryBatch::Properties(const amqp_basic_properties_t& properties) {
  const auto has = [&](amqp_flags_t flag) { return (properties._flags & flag) != 0; };
  Delivery& delivery = deliveries_.back();
  if (has(AMQP_BASIC_MESSAGE_ID_FLAG)) delivery.id = Keep(Text(properties.message_id));
  if (has(AMQP_BASIC_TIMESTAMP_FLAG)) delivery.timestamp_us = Microseconds(properties.timestamp);
  if (has(AMQP_BASIC_HEADERS_FLAG)) AddTable(properties.headers);
  if (has(AMQP_BASIC_CONTENT_TYPE_FLAG)) AddHeader("amqp.content-type", Text(properties.content_type));
  if (has(AMQP_BASIC_CORRELATION_ID_FLAG)) AddHeader("amqp.correlation-id", Text(properties.correlation_id));
  if (has(AMQP_BASIC_REPLY_TO_FLAG)) AddHeader("amqp.reply-to", Text(properties.reply_to));
  if (has(AMQP_BASIC_TYPE_FLAG)) AddHeader("amqp.type", Text(properties.type));
  if (has(AMQP_BASIC_APP_ID_FLAG)) AddHeader("amqp.app-id", Text(properties.app_id));
  deliveries_.back().body.begin = bytes_.size();
}

void DeliveryBatch::End() {
  Delivery& delivery = deliveries_.back();
  delivery.body.size = bytes_.size() - delivery.body.begin;
  complete_ = deliveries_.size();
}

std::span<const ReceivedRecord> DeliveryBatch::Records(std::string_view queue) {
  headers_.clear();
  for (const HeaderSlices& header : header_slices_) headers_.push_back({View(header.name), View(header.value)});
  records_.clear();
  for (std::size_t i = 0; i < complete_; ++i) {
    const Delivery& delivery = deliveries_[i];
    ReceivedRecord record;
    record.key = View(delivery.key);
    record.value = View(delivery.body);
    record.timestamp_us = delivery.timestamp_us;
    record.topic = queue;
    record.headers = std::span(headers_).subspan(delivery.first_header, delivery.headers);
    record.id = View(delivery.id);
    records_.push_back(record);
  }
  return records_;
}

void DeliveryBatch::Clear() {
  if (bytes_.capacity() > kKeptBytes) bytes_ = std::string();
  bytes_.clear();
  deliveries_.clear();
  header_slices_.clear();
  headers_.clear();
  records_.clear();
  complete_ = 0;
}

}  // namespace millrace::rabbitmq
