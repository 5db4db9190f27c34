// The names of all connectors and what makes them. A new connector is one line here.
#include <array>
#include <vector>

#include "common/nearest.h"
#include "executor/connectors/files_sink.h"
#include "executor/connectors/generator_source.h"
#include "executor/connectors/kafka/kafka_sink.h"
#include "executor/connectors/kafka/kafka_source.h"
#include "executor/connectors/options.h"
#include "executor/connectors/sink.h"
#include "executor/connectors/socket_source.h"
#include "executor/connectors/source.h"
#include "executor/connectors/text_files_source.h"

namespace millrace {
namespace {

struct SourceMaker {
  std::string_view name;
  absl::StatusOr<std::unique_ptr<Source>> (*make)(const engine::OperatorDescription&, const std::string& job_id);
};
constexpr std::array<SourceMaker, 4> kSources = {{
    {"kafka", MakeKafkaSource},
    {"generator", MakeGeneratorSource},
    {"socket", MakeSocketSource},
    {"files", MakeTextFilesSource},
}};

struct SinkMaker {
  std::string_view name;
  absl::StatusOr<std::unique_ptr<Sink>> (*make)(const engine::OperatorDescription&);
};
constexpr std::array<SinkMaker, 2> kSinks = {{
    {"kafka", MakeKafkaSink},
    {"files", MakeFilesSink},
}};

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
                                                   const std::string& job_id) {
  for (const SourceMaker& maker : kSources) {
    if (maker.name == description.connector) return maker.make(description, job_id);
  }
  return Unknown("source", description, kSources);
}

absl::StatusOr<std::unique_ptr<Sink>> MakeSink(const engine::OperatorDescription& description) {
  for (const SinkMaker& maker : kSinks) {
    if (maker.name == description.connector) return maker.make(description);
  }
  return Unknown("sink", description, kSinks);
}

}  // namespace millrace
