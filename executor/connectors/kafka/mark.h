// Reads the mark of a sink partition: the committed offset of its private group on partition 0 of the output topic, 0
// when there is none. Asks for stable offsets, so a commit that is still being completed is waited for, not overlooked.
//
// On the producer's thread. Unavailable when the deadline passes without an answer.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "executor/connectors/kafka/row_producer.h"

namespace millrace::kafka {

absl::StatusOr<std::uint64_t> ReadMark(RowProducer& producer, const std::string& group, Deadline deadline);

}  // namespace millrace::kafka
