// Message: what a message broker or an agent pushed, as JobContext::RabbitMq and JobContext::Flume give it. Its views
// point into the source's buffers and live until the operator that got it returns; what is kept is an OwnedMessage
// (ForEachBatch and MapPartitions see to that themselves).
//
//   ctx.RabbitMq({.server = server, .queues = {"orders"}})
//       .Filter([](const millrace::Message& m) { return m.Header("version") == "2"; })
//       .Map([](const millrace::Message& m) { return std::pair(std::string(m.key), 1L); });
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "millrace/engine.h"
#include "millrace/internal/owned_record.h"
#include "millrace/owned.h"
#include "millrace/to_text.h"

namespace millrace {

struct Message {
  std::string_view key;  // RabbitMQ: the routing key; Flume: the header that key_header names; empty when there is none
  std::string_view value;  // the body
  std::string_view topic;  // RabbitMQ: the queue; Flume: empty
  std::chrono::sys_time<std::chrono::microseconds>
      timestamp;  // as its sender gave it; the epoch itself when it did not
  std::span<const engine::Header> headers;

  // The value of the first header of that name, or the fallback.
  std::string_view Header(std::string_view name, std::string_view fallback = {}) const {
    for (const engine::Header& header : headers)
      if (header.name == name) return header.value;
    return fallback;
  }
};
// It is all views: to send it between tasks, Map it first to what is needed of it.
template <>
inline constexpr bool kPlainAggregate<Message> = false;

using OwnedMessage = detail::OwnedRecord<Message>;

template <>
struct OwnedTraits<Message> {
  using Type = OwnedMessage;
  static OwnedMessage Own(const Message& value) { return OwnedMessage(value); }
  static const Message& View(const OwnedMessage& value) { return value.record(); }
};

template <>
struct ToText<Message> {
  static void Append(std::string& out, const Message& value) {
    if (!value.topic.empty()) {
      AppendText(out, value.topic);
      out += ' ';
    }
    if (!value.key.empty()) {
      AppendText(out, value.key);
      out += " = ";
    }
    AppendText(out, value.value);
  }
};

}  // namespace millrace
