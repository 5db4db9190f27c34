// The names of all connectors and what makes them. A new connector is one line here.
#include <array>
#include <vector>

#include "common/nearest.h"
#include "executor/connectors/cassandra/cassandra_lookup.h"
#include "executor/connectors/cassandra/cassandra_sink.h"
#include "executor/connectors/custom/custom_receiver.h"
#include "executor/connectors/custom/custom_sink.h"
#include "executor/connectors/custom/custom_source.h"
#include "executor/connectors/files_sink.h"
#include "executor/connectors/flume/flume_source.h"
#include "executor/connectors/generator_source.h"
#include "executor/connectors/kafka/kafka_sink.h"
#include "executor/connectors/kafka/kafka_source.h"
#include "executor/connectors/lookup.h"
#include "executor/connectors/options.h"
#include "executor/connectors/rabbitmq/rabbitmq_sink.h"
#include "executor/connectors/rabbitmq/rabbitmq_source.h"
#include "executor/connectors/sink.h"
#include "executor/connectors/socket/socket_source.h"
#include "executor/connectors/source.h"
#include "executor/connectors/text_files_source.h"

namespace millrace {
namespace {

struct SourceMaker {
  std::string_view name;
  absl::StatusOr<std::unique_ptr<Source>> (*make)(const engine::OperatorDescription&, const SourceEnvironment&);
};
constexpr std::array<SourceMaker, 8> kSources = {{
    {"kafka", MakeKafkaSource},
    {"generator", MakeGeneratorSource},
    {"socket", MakeSocketSource},
    {"files", MakeTextFilesSource},
    {"rabbitmq", MakeRabbitMqSource},
    {"flume", MakeFlumeSource},
    {"custom", MakeCustomSource},
    {"custom_receiver", MakeCustomReceiverSource},
}};

struct SinkMaker {
  std::string_view name;
  absl::StatusOr<std::unique_ptr<Sink>> (*make)(const engine::OperatorDescription&);
};
constexpr std::array<SinkMaker, 4> kSinks = {{
    {"kafka", MakeKafkaSink},
    {"cassandra", MakeCassandraSink},
    {"files", MakeFilesSink},
    {"rabbitmq", MakeRabbitMqSink},
}};

struct LookupMaker {
  std::string_view name;
  absl::StatusOr<std::unique_ptr<Lookup>> (*make)(const engine::OperatorDescription&);
};
constexpr std::array<LookupMaker, 1> kLookups = {{{"cassandra", MakeCassandraLookup}}};

template <class Makers>
absl::Status Unknown(std::string_view side, const engine::OperatorDescription& description, const Makers& makers) {
  std::vector<std::string_view> names;
  std::string all;
  for (const auto& maker : makers) {
    names.push_back(maker.name);
    all += Concat(all.empty() ? "" : ", ", maker.name);
  }
  const std::string hint = DidYouMean(description.connector, names);
  return InvalidArgument(OperatorName(side, description), ": there is no ", side, " connector '", description.connector,
                         "'", hint.empty() ? Concat("; there are ", all) : hint);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeSource(const engine::OperatorDescription& description,
                                                   const SourceEnvironment& environment) {
  for (const SourceMaker& maker : kSources) {
    if (maker.name == description.connector) return maker.make(description, environment);
  }
  return Unknown("source", description, kSources);
}

absl::StatusOr<std::unique_ptr<Sink>> MakeSink(const engine::OperatorDescription& description,
                                               const engine::Program* program) {
  if (description.connector == "custom") return MakeCustomSink(description, program);
  for (const SinkMaker& maker : kSinks) {
    if (maker.name == description.connector) return maker.make(description);
  }
  return Unknown("sink", description, kSinks);
}

absl::StatusOr<std::unique_ptr<Lookup>> MakeLookup(const engine::OperatorDescription& description) {
  for (const LookupMaker& maker : kLookups) {
    if (maker.name == description.connector) return maker.make(description);
  }
  return Unknown("lookup", description, kLookups);
}

}  // namespace millrace
