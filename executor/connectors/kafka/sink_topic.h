// The topic of a sink, and how it is made when it is not there.
//
//   MR_ASSIGN_OR_RETURN(const SinkTopic topic, ParseSinkTopic(reader));
//   MR_RETURN_IF_ERROR(EnsureTopic(client, topic, After(20'000)));
//
// Options: topic, create_partitions (0: the topic must be there), replication_factor (0: the brokers' own),
// topic_config (lines of name=value). Thread rule: plain data and functions. Errors of EnsureTopic: NotFound when the
// topic is not there and is not to be made; what the brokers say when they do not make it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/kafka/client.h"
#include "executor/connectors/options.h"

namespace millrace::kafka {

struct SinkTopic {
  std::string name;
  std::int32_t create_partitions = 0;
  std::int32_t replication_factor = -1;
  std::vector<std::pair<std::string, std::string>> config;
};

absl::StatusOr<SinkTopic> ParseSinkTopic(const OptionReader& options);
// Several may make the topic at the same time: one of them does.
absl::Status EnsureTopic(Client& client, const SinkTopic& topic, std::chrono::steady_clock::time_point deadline);

}  // namespace millrace::kafka
