// Kafka topics as a replayable source, on librdkafka: partitions are assigned, never subscribed to; offsets live in the
// journal, never in a consumer group. A split is "topic-partition", a position a decimal offset.
//
// Partitions that exist at the first listing begin at the option `start`; those found later, by whichever runner lists,
// at their earliest record. A
// topic that is deleted and made again under the same name cannot always be told from the old one: stop the job first.
//
// Memory: librdkafka holds up to rdkafka.queued.min.messages records or rdkafka.queued.max.messages.kbytes for each
// split, with some 400 bytes of its own for each record; a range is at most that. Raise them for long batches.
//
// Options: brokers, topics, start, isolation, discovery_interval_ms, max_records_per_batch, rdkafka.<name>.
#pragma once

#include <memory>
#include <string>

#include "executor/connectors/source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeKafkaSource(const engine::OperatorDescription& description,
                                                        const std::string& job_id);

}  // namespace millrace
