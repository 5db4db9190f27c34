// Event time: from a DStream to a stream whose records carry the time at which they happened. See event_stream.h.
//
//   lines.WithTimestamps([](std::string_view line) { return TimeOf(line); }, {.max_out_of_orderness = 2s})
//
// Errors: std::invalid_argument with operator, place, reason and remedy; a timestamp more than 36 000 years from the
// epoch fails the attempt of the task.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/event_stream.h"
#include "millrace/internal/event_operators.h"
#include "millrace/kafka_record.h"
#include "millrace/message.h"
#include "millrace/stateful_dstream.h"

namespace millrace {

template <class T>
class TimeOperations : public StatefulOperations<T> {
  using Where = std::source_location;

 public:
  using StatefulOperations<T>::StatefulOperations;

  // Each record happened at f(record): a std::chrono::sys_time, or a whole number of microseconds since the Unix epoch.
  // A record may come up to max_out_of_orderness after a later one of its partition and is still in time.
  template <class F>
  EventStream<T> WithTimestamps(F f, EventTimeOptions options = {}, Where where = Where::current()) const {
    static_assert(std::is_invocable_v<const F&, const T&>,
                  "WithTimestamps needs a function callable, as const, as f(record)");
    static_assert(detail::kIsTimestamp<std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>>,
                  "WithTimestamps needs a function that gives a std::chrono::sys_time, or an integer: microseconds "
                  "since the Unix epoch");
    return Assign("WithTimestamps", std::move(f), options, where);
  }

  // The time that the source gives its records.
  EventStream<T> WithSourceTimestamps(EventTimeOptions options = {}, Where where = Where::current()) const {
    static_assert(std::is_same_v<T, KafkaRecord> || std::is_same_v<T, Message>,
                  "WithSourceTimestamps needs a stream of millrace::KafkaRecord or millrace::Message, as "
                  "JobContext::Kafka, RabbitMq and Flume give them; for others there is WithTimestamps(f)");
    return Assign("WithSourceTimestamps", &T::timestamp, options, where);
  }

 private:
  template <class F>
  EventStream<T> Assign(std::string_view name, F f, const EventTimeOptions& options, const Where& where) const {
    detail::CheckEventSpan(name, where, "max_out_of_orderness", options.max_out_of_orderness.count(), 0);
    detail::CheckEventSpan(name, where, "idle_after", options.idle_after.count(), 0);
    detail::Node node = this->template Consume<Timed<T>>(engine::OperatorKind::kNarrow, name, where);
    node.handles_bad = true;
    node.runs_empty = true;  // every split says in every batch how far it is
    node.make = [shared = std::make_shared<const F>(std::move(f)), options](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::TimestampOperator<T, F>>(setup, *shared, options.max_out_of_orderness.count(),
                                                               options.idle_after.count());
    };
    const std::uint32_t id = this->graph()->Add(std::move(node));
    return EventStream<T>(this->graph(), id, {id});
  }
};

}  // namespace millrace
