#include "executor/connectors/flume/event_records.h"

#include <limits>

#include "executor/connectors/options.h"
#include "flume_wire/flume_types.h"

namespace millrace {
namespace {

constexpr std::string_view kTimestampHeader = "timestamp";

}  // namespace

std::int64_t EventTimestamp(std::string_view milliseconds) {
  std::uint64_t value = 0;
  if (!ParseNumber(milliseconds, value)) return 0;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 1000)) return 0;
  return static_cast<std::int64_t>(value) * 1000;
}

EventRecords::EventRecords(std::span<const flume_wire::ThriftFlumeEvent> events, const FlumeSettings& settings) {
  std::size_t header_count = 0;
  for (const flume_wire::ThriftFlumeEvent& event : events) header_count += event.headers.size();
  headers_.reserve(header_count);  // the spans below point into it
  records_.reserve(events.size());
  for (const flume_wire::ThriftFlumeEvent& event : events) {
    ReceivedRecord& record = records_.emplace_back();
    record.value = event.body;
    const std::size_t first = headers_.size();
    for (const auto& [name, value] : event.headers) {
      headers_.push_back({name, value});
      if (name == kTimestampHeader) record.timestamp_us = EventTimestamp(value);
      if (name == settings.id_header) record.id = value;
      if (name == settings.key_header) record.key = value;
    }
    record.headers = std::span(headers_).subspan(first);
    if (!settings.id_header.empty() && record.id.empty()) ++without_id_;
  }
}

}  // namespace millrace
