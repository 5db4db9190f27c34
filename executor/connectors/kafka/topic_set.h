// Which topics a source reads: a list, or all whose names match a pattern.
//
//   MR_ASSIGN_OR_RETURN(TopicSet topics, TopicSet::Parse(options));
//   MR_ASSIGN_OR_RETURN(auto partitions, topics.List(client));   // asks the brokers
//
// A pattern is an extended POSIX regular expression for the whole name. Kafka's own topics (names that begin with "__")
// match none. A listed topic that does not exist is NotFound; a pattern that matches nothing is an empty list.
//
// Const functions from any thread. Errors name the operator and the option.
#pragma once

#include <regex.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/start_position.h"
#include "executor/connectors/options.h"

namespace millrace::kafka {

class TopicSet {
 public:
  // Of the options topics and topic_pattern, of which there is one.
  static absl::StatusOr<TopicSet> Parse(const OptionReader& reader);

  absl::StatusOr<std::vector<TopicPartition>> List(Client& client) const;
  bool Contains(const std::string& topic) const;
  const std::vector<std::string>& names() const { return names_; }  // empty with a pattern
  const std::string& pattern() const { return pattern_; }           // empty with a list

 private:
  std::vector<std::string> names_;
  std::string pattern_;
  std::shared_ptr<const regex_t> regex_;  // of the pattern; null with a list
};

}  // namespace millrace::kafka
