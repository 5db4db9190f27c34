// A source that is fed by receivers: each of its splits has one, and a write-ahead log in the job's storage.
//
//   ReceiverSourceSettings settings;
//   settings.splits = {"orders/0"};
//   settings.make = [=](const std::string& split) { return NewReceiver(options, split); };
//   return MakeReceiverSource("rabbitmq", op, environment, std::move(settings));
//
// What a receiver stores is an entry of the log before Store returns, and is read again from there by whoever needs it:
// so the source is replayable, whichever runner has the split. Errors: InvalidArgument when the job has no storage.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/receiver.h"
#include "executor/connectors/source.h"

namespace millrace {

struct ReceiverSourceSettings {
  std::string where = {};                // "source 'orders' (rabbitmq)", for messages
  std::vector<std::string> splits = {};  // names for people; their order is the same for all time
  std::function<absl::StatusOr<std::unique_ptr<Receiver>>(const std::string& split)> make = {};
};

absl::StatusOr<std::unique_ptr<Source>> MakeReceiverSource(const engine::OperatorDescription& description,
                                                           const SourceEnvironment& environment,
                                                           ReceiverSourceSettings settings);

}  // namespace millrace
