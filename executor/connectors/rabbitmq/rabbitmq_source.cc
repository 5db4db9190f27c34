#include "executor/connectors/rabbitmq/rabbitmq_source.h"

#include "common/status.h"
#include "executor/connectors/rabbitmq/receivers.h"
#include "executor/connectors/received/receiver_source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeRabbitMqSource(const engine::OperatorDescription& description,
                                                           const SourceEnvironment& environment) {
  MR_ASSIGN_OR_RETURN(const rabbitmq::SourceOptions options, rabbitmq::ReadSourceOptions(description));
  ReceiverSourceSettings settings;
  settings.splits = rabbitmq::SplitNames(options);
  settings.make = [options, job_id = environment.job_id](const std::string& split) {
    return rabbitmq::NewReceiver(options, job_id, split);
  };
  return MakeReceiverSource(description, environment, std::move(settings));
}

}  // namespace millrace
