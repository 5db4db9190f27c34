// A RabbitMQ exchange as a sink, at least once: persistent messages, and a batch counts as written when the server has
// confirmed each. AMQP can keep no mark of ours with them: after a failure in between, a batch is published again.
//
// Each message carries a message_id that is the same the second time ("job/sink/batch/partition/index"), so that a
// consumer, or our own source, can leave the repetition out. The routing key is the row's key, or else the option
// routing_key. Options: those of connection_options.h, exchange, routing_key, mandatory, content_type.
#pragma once

#include <memory>

#include "executor/connectors/sink.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Sink>> MakeRabbitMqSink(const engine::OperatorDescription& description);

}  // namespace millrace
