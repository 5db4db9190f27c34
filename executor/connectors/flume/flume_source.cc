#include "executor/connectors/flume/flume_source.h"

#include "common/status.h"
#include "executor/connectors/flume/flume_receiver.h"
#include "executor/connectors/flume/settings.h"
#include "executor/connectors/received/receiver_source.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> MakeFlumeSource(const engine::OperatorDescription& description,
                                                        const SourceEnvironment& environment) {
  MR_ASSIGN_OR_RETURN(const FlumeSettings flume, ReadFlumeSettings(description));
  ReceiverSourceSettings settings;
  for (std::uint32_t i = 0; i < flume.receivers; ++i) settings.splits.push_back(Concat("receiver-", i));
  settings.make = [flume](const std::string& /*split*/) -> absl::StatusOr<std::unique_ptr<Receiver>> {
    return std::make_unique<FlumeReceiver>(flume);
  };
  return MakeReceiverSource(description, environment, std::move(settings));
}

}  // namespace millrace
