// The options of the source "rabbitmq", checked: how to reach the server (connection_options.h), which queues to
// consume, and with how many receivers each. Options: queues, receivers, prefetch_count, max_message_bytes, declare,
// queue_type, dead_letter_exchange, exchange, binding_keys.
//
// InvalidArgument names the operator, the option, its value and what is allowed.
#pragma once

#include <cstdint>

#include "executor/connectors/rabbitmq/consumer.h"

namespace millrace::rabbitmq {

struct SourceOptions {
  ConnectionOptions connection;
  std::vector<std::string> queues;
  ConsumerOptions consumer;     // of the first queue; the others differ in its name alone
  std::uint32_t receivers = 1;  // of each queue
};

absl::StatusOr<SourceOptions> ReadSourceOptions(const engine::OperatorDescription& description);

}  // namespace millrace::rabbitmq
