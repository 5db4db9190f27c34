#include "executor/connectors/kafka/config.h"

#include <array>
#include <vector>

#include "common/nearest.h"
#include "common/status.h"
#include "executor/connectors/kafka/security.h"

namespace millrace::kafka {
namespace {

std::string NearestProperty(const rd_kafka_conf_t* conf, std::string_view name) {
  std::size_t count = 0;
  const char** dump = rd_kafka_conf_dump(const_cast<rd_kafka_conf_t*>(conf), &count);
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < count; i += 2) names.emplace_back(dump[i]);
  std::string hint = DidYouMean(name, names);
  rd_kafka_conf_dump_free(dump, count);
  return hint;
}

}  // namespace

absl::Status Config::Set(const char* name, const std::string& value) {
  std::array<char, 512> why{};
  const rd_kafka_conf_res_t result = rd_kafka_conf_set(conf_.get(), name, value.c_str(), why.data(), why.size());
  if (result == RD_KAFKA_CONF_OK) return absl::OkStatus();
  const std::string hint = result == RD_KAFKA_CONF_UNKNOWN ? NearestProperty(conf_.get(), name) : std::string();
  return InvalidArgument(std::string_view(why.data()), hint);
}

std::uint64_t Config::Number(const char* name) const {
  std::array<char, 32> text{};
  std::size_t size = text.size();
  std::uint64_t value = 0;
  const bool known = rd_kafka_conf_get(conf_.get(), name, text.data(), &size) == RD_KAFKA_CONF_OK;
  MR_CHECK(known && ParseNumber(text.data(), value));
  return value;
}

absl::Status Config::SetFromOptions(const OptionReader& reader, const engine::Options& options,
                                    std::span<const RefusedProperty> refused) {
  for (const auto& [option, value] : options) {
    if (!option.starts_with(kPropertyPrefix)) continue;
    const std::string name = option.substr(kPropertyPrefix.size());
    for (const RefusedProperty& property : refused) {
      if (property.name == name) return reader.Bad(option, "(value '", value, "') cannot be set: ", property.why);
    }
    bool secret = false;
    if (const std::string_view why = RefusedSecurityProperty(name, secret); !why.empty()) {
      return reader.Bad(option, secret ? "" : Concat("(value '", value, "') "), "cannot be set: ", why);
    }
    if (absl::Status set = Set(name.c_str(), value); !set.ok()) {
      return reader.Bad(option, "has the value '", value, "': ", Message(set));
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace::kafka
