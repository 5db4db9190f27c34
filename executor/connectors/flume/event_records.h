// Flume's events as records for the store.
//
//   EventRecords records(events, settings);
//   store.Store(records.records(), …);
//
// One thread. Its records are views of `events`, which must outlive it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "executor/connectors/flume/settings.h"
#include "executor/connectors/receiver.h"

namespace millrace {

namespace flume_wire {
class ThriftFlumeEvent;
}

class EventRecords {
 public:
  EventRecords(std::span<const flume_wire::ThriftFlumeEvent> events, const FlumeSettings& settings);
  EventRecords(const EventRecords&) = delete;
  EventRecords& operator=(const EventRecords&) = delete;

  std::span<const ReceivedRecord> records() const { return records_; }
  std::uint64_t without_id() const { return without_id_; }  // 0 when no header is to be the id

 private:
  std::vector<engine::Header> headers_;
  std::vector<ReceivedRecord> records_;
  std::uint64_t without_id_ = 0;
};

// Milliseconds since the epoch, as text, in microseconds; 0 when the text is something else.
std::int64_t EventTimestamp(std::string_view milliseconds);

}  // namespace millrace
