// RabbitMQ queues as a source: see docs/connectors/rabbitmq.md and received/receiver_source.h.
#pragma once

#include <memory>

#include "executor/connectors/source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeRabbitMqSource(const engine::OperatorDescription& description,
                                                           const SourceEnvironment& environment);

}  // namespace millrace
