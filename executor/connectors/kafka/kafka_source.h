// Kafka topics as a replayable source: partitions are assigned, never subscribed to; offsets live in the
// journal; a consumer group may follow them and is never read. A split is "topic-partition", a position as in
// position.h.
//
// Partitions that exist at the first listing begin at the option `start`; those found later, by whichever runner lists,
// at their earliest record. With the option `end` the first listing is the only one. A topic that is deleted and made
// again under the same name cannot always be told from the old one: stop the job first.
//
// Records are fetched by Fetcher, without a copy, or by librdkafka, where the option fetch says so or rdkafka.ssl.… or
// rdkafka.sasl.… are given. librdkafka finds the brokers, lists topics and tells offsets in both cases.
//
// Memory: a Fetcher holds up to rdkafka.queued.max.messages.kbytes for each split, and one answer more. librdkafka
// holds up to rdkafka.queued.min.messages records or rdkafka.queued.max.messages.kbytes for each split, with some 400
// bytes of its own for each record; a range is at most that. Raise them for long batches.
//
// Options: brokers, topics, topic_pattern, start, end, isolation, discovery_interval_ms, max_records_per_batch,
// out_of_range, fetch, group, those of security.h, rdkafka.<name>.
#pragma once

#include <memory>
#include <string>

#include "executor/connectors/source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeKafkaSource(const engine::OperatorDescription& description,
                                                        const SourceEnvironment& environment);

}  // namespace millrace
