// One call of Flume's ThriftSourceProtocol: decodes a frame, has its events handled and encodes the answer. The
// encoding (compact or binary) is known by the first byte.
//
//   auto answer = AnswerCall(frame, 100'000, [&](std::span<const flume_wire::ThriftFlumeEvent> events) { … });
//
// What `handle` returns becomes the answer: OK, or FAILED, whereupon the agent sends the events again. After Aborted or
// Cancelled there is no answer, and that status is returned. InvalidArgument: the frame holds no such call.
// Thread-safe. It makes at most so many events of a frame as allowed, whatever the frame claims.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace millrace {

namespace flume_wire {
class ThriftFlumeEvent;
}

using HandleEvents = std::function<absl::Status(std::span<const flume_wire::ThriftFlumeEvent>)>;

absl::StatusOr<std::string> AnswerCall(std::string_view frame, std::uint32_t max_events, const HandleEvents& handle);

}  // namespace millrace
