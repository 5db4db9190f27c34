#include "executor/connectors/kafka/topic_set.h"

#include <algorithm>
#include <array>

#include "common/status.h"
#include "executor/connectors/kafka/topic_names.h"

namespace millrace::kafka {
namespace {

absl::StatusOr<std::shared_ptr<const regex_t>> Compile(const OptionReader& reader, const std::string& pattern) {
  auto compiled = std::make_unique<regex_t>();
  const int error = regcomp(compiled.get(), Concat("^(", pattern, ")$").c_str(), REG_EXTENDED | REG_NOSUB);
  if (error == 0) {
    return std::shared_ptr<const regex_t>(compiled.release(), [](const regex_t* regex) {
      regfree(const_cast<regex_t*>(regex));
      delete regex;
    });
  }
  std::array<char, 256> why{};
  regerror(error, compiled.get(), why.data(), why.size());
  return reader.Bad("topic_pattern", "is '", pattern,
                    "', which is no regular expression: ", std::string_view(why.data()));
}

}  // namespace

absl::StatusOr<TopicSet> TopicSet::Parse(const OptionReader& reader) {
  TopicSet set;
  set.pattern_ = reader.Text("topic_pattern", "");
  if (set.pattern_.empty()) {
    MR_ASSIGN_OR_RETURN(set.names_, ParseTopics(reader, "topics"));
    return set;
  }
  if (!reader.Text("topics", "").empty()) {
    return reader.Bad("topic_pattern", "and the option topics are both given; leave one of them out");
  }
  MR_ASSIGN_OR_RETURN(set.regex_, Compile(reader, set.pattern_));
  return set;
}

bool TopicSet::Contains(const std::string& topic) const {
  if (regex_) return !topic.starts_with("__") && regexec(regex_.get(), topic.c_str(), 0, nullptr, 0) == 0;
  return std::find(names_.begin(), names_.end(), topic) != names_.end();
}

absl::StatusOr<std::vector<TopicPartition>> TopicSet::List(Client& client) const {
  std::vector<TopicPartition> all;
  const auto add = [&all](const std::string& topic, std::int32_t partitions) {
    for (std::int32_t p = 0; p < partitions; ++p) all.emplace_back(topic, p);
  };
  if (regex_) {
    MR_ASSIGN_OR_RETURN(const auto topics, client.AllTopics());
    for (const auto& [topic, partitions] : topics) {
      if (Contains(topic)) add(topic, partitions);
    }
    return all;
  }
  for (const std::string& topic : names_) {
    MR_ASSIGN_OR_RETURN(const std::int32_t partitions, client.PartitionCount(topic, "topics"));
    add(topic, partitions);
  }
  return all;
}

}  // namespace millrace::kafka
