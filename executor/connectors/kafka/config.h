// Builds librdkafka configurations: our own defaults, then the job's "rdkafka.<name>" options, each checked by
// librdkafka itself. Properties that would break exactness, or that have an option of their own, are refused with the
// reason.
//
//   Config config;
//   MR_RETURN_IF_ERROR(config.Set("fetch.wait.max.ms", "10"));
//   MR_RETURN_IF_ERROR(config.SetFromOptions(reader, description.options, kRefused));
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "executor/connectors/kafka/handles.h"
#include "executor/connectors/options.h"

namespace millrace::kafka {

inline constexpr std::string_view kPropertyPrefix = "rdkafka.";

struct RefusedProperty {
  std::string_view name;
  std::string_view why;
};

class Config {
 public:
  Config() : conf_(rd_kafka_conf_new()) {}
  Config(const Config& other) : conf_(rd_kafka_conf_dup(other.conf_.get())) {}
  Config& operator=(const Config&) = delete;
  Config(Config&&) = default;

  absl::Status Set(const char* name, const std::string& value);
  absl::Status SetFromOptions(const OptionReader& reader, const engine::Options& options,
                              std::span<const RefusedProperty> refused);
  // The value of a numeric property as it now stands.
  std::uint64_t Number(const char* name) const;
  rd_kafka_conf_t* get() const { return conf_.get(); }
  rd_kafka_conf_t* release() { return conf_.release(); }

 private:
  Conf conf_;
};

}  // namespace millrace::kafka
