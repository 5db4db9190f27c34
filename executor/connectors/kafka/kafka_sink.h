// A Kafka topic as a sink: exactly once by transactions (see transactional_writer.h), or, with exactly_once=false, at
// least once through an idempotent producer that keeps no mark.
//
// Records go to partitions by the hash of their key as Java clients do it, and carry the batch's time. Readers must use
// read_committed. Options: brokers, those of sink_topic.h, exactly_once, those of security.h, rdkafka.<name>.
#pragma once

#include <memory>

#include "executor/connectors/sink.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Sink>> MakeKafkaSink(const engine::OperatorDescription& description);

}  // namespace millrace
