#include "executor/connectors/rabbitmq/receivers.h"

#include <algorithm>

#include "common/status.h"
#include "executor/connectors/rabbitmq/rabbitmq_receiver.h"

namespace millrace::rabbitmq {

std::vector<std::string> SplitNames(const SourceOptions& options) {
  std::vector<std::string> names;
  for (const std::string& queue : options.queues) {
    for (std::uint32_t i = 0; i < options.receivers; ++i) names.push_back(Concat(queue, "/", i));
  }
  return names;
}

absl::StatusOr<std::unique_ptr<Receiver>> NewReceiver(const SourceOptions& options, const std::string& job_id,
                                                      const std::string& split) {
  const std::vector<std::string> names = SplitNames(options);
  if (std::find(names.begin(), names.end(), split) == names.end()) {
    return NotFound("rabbitmq: the options queues and receivers give no split '", split, "'");
  }
  ConsumerOptions consumer = options.consumer;
  consumer.queue = split.substr(0, split.rfind('/'));
  return std::make_unique<RabbitMqReceiver>(options.connection, std::move(consumer),
                                            Concat("millrace ", job_id, " ", split));
}

}  // namespace millrace::rabbitmq
