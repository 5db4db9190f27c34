// Where a job begins to read a topic: the option "start" as data, and its translation into offsets.
//
//   earliest | latest | timestamp:<ms since 1970> | offsets:<topic>:<partition>=<offset>,…
//
// A timestamp means the first record at or after it, or the end if there is none; a partition that "offsets:" does not
// name begins at its earliest record. ResolveStarts asks the brokers and may wait a few seconds; the result is durable:
// plain offsets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/kafka/client.h"
#include "executor/connectors/options.h"

namespace millrace::kafka {

using TopicPartition = std::pair<std::string, std::int32_t>;

struct StartPosition {
  enum class Kind { kEarliest, kLatest, kTimestamp, kOffsets };
  Kind kind = Kind::kEarliest;
  std::int64_t timestamp_ms = 0;
  std::map<TopicPartition, std::int64_t> offsets;
  bool others_latest = false;  // partitions that `offsets` does not name: at their end, not their beginning
};

// `topics` empty: any topic may be named.
absl::StatusOr<StartPosition> ParseStart(const OptionReader& reader, const std::vector<std::string>& topics);

// The option "end", which takes the same words: where a bounded job stops to read, before the record there. Nothing
// when it has none.
absl::StatusOr<std::optional<StartPosition>> ParseEnd(const OptionReader& reader,
                                                      const std::vector<std::string>& topics);

// The offset at which each partition begins.
absl::StatusOr<std::map<TopicPartition, std::int64_t>> ResolveStarts(Client& client, const StartPosition& start,
                                                                     const std::vector<TopicPartition>& partitions);

}  // namespace millrace::kafka
