// Which receivers a source has: one split "queue/number" for each, stable for all time as long as the options are, and
// the receiver of a split.
//
//   for (const std::string& split : SplitNames(options)) …
//   std::unique_ptr<Receiver> receiver = NewReceiver(options, job_id, "orders/0");
//
// Pure but for what a receiver does once it is started.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "executor/connectors/rabbitmq/source_options.h"
#include "executor/connectors/receiver.h"

namespace millrace::rabbitmq {

std::vector<std::string> SplitNames(const SourceOptions& options);

// NotFound when the options do not give such a split: the job was made with others.
absl::StatusOr<std::unique_ptr<Receiver>> NewReceiver(const SourceOptions& options, const std::string& job_id,
                                                      const std::string& split);

}  // namespace millrace::rabbitmq
