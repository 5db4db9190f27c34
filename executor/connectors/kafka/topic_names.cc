#include "executor/connectors/kafka/topic_names.h"

#include <algorithm>

namespace millrace::kafka {
namespace {

bool TopicCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

absl::Status CheckTopic(const OptionReader& reader, std::string_view option, std::string_view name) {
  const bool good = !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
                    std::all_of(name.begin(), name.end(), TopicCharacter);
  if (good) return absl::OkStatus();
  return reader.Bad(option, "has '", name, "', which is no topic name: 1 to 249 of the characters a-z A-Z 0-9 . _ -");
}

absl::StatusOr<std::vector<std::string>> ParseTopics(const OptionReader& reader, std::string_view option) {
  MR_ASSIGN_OR_RETURN(const std::string text, reader.Required(option));
  std::vector<std::string> topics;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    const std::string name(Trim(rest.substr(0, comma)));
    MR_RETURN_IF_ERROR(CheckTopic(reader, option, name));
    if (std::find(topics.begin(), topics.end(), name) != topics.end()) {
      return reader.Bad(option, "names topic '", name, "' twice");
    }
    topics.push_back(name);
    if (comma == std::string_view::npos) return topics;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace millrace::kafka
