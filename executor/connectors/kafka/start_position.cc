#include "executor/connectors/kafka/start_position.h"

#include <algorithm>
#include <array>

#include "common/nearest.h"

namespace millrace::kafka {
namespace {

constexpr int kOffsetsTimeoutMs = 5'000;
constexpr std::uint64_t kMaxOffset = (1ULL << 62);
constexpr std::array<std::string_view, 4> kKinds = {"earliest", "latest", "timestamp", "offsets"};

bool ParseSigned(std::string_view text, std::int64_t& value) {
  std::uint64_t number = 0;
  if (!ParseNumber(text, number) || number > kMaxOffset) return false;
  value = static_cast<std::int64_t>(number);
  return true;
}

// "<topic>:<partition>=<offset>"
bool ParseEntry(std::string_view entry, TopicPartition& partition, std::int64_t& offset) {
  const std::size_t colon = entry.rfind(':');
  const std::size_t equals = entry.rfind('=');
  if (colon == std::string_view::npos || equals == std::string_view::npos || equals < colon) return false;
  std::int64_t number = 0;
  if (!ParseSigned(entry.substr(colon + 1, equals - colon - 1), number) || number > INT32_MAX) return false;
  partition = {std::string(entry.substr(0, colon)), static_cast<std::int32_t>(number)};
  return ParseSigned(entry.substr(equals + 1), offset);
}

absl::Status ParseOffsets(const OptionReader& reader, std::string_view option, const std::vector<std::string>& topics,
                          std::string_view text, StartPosition& start) {
  const std::vector<std::string_view> names(topics.begin(), topics.end());
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    TopicPartition partition;
    std::int64_t offset = 0;
    if (!ParseEntry(entry, partition, offset)) {
      return reader.Bad(option, "must list offsets as offsets:<topic>:<partition>=<offset>,…; '", entry,
                        "' is not one");
    }
    if (!topics.empty() && std::find(topics.begin(), topics.end(), partition.first) == topics.end()) {
      return reader.Bad(option, "names topic '", partition.first, "', which is not among the topics",
                        DidYouMean(partition.first, names));
    }
    if (!start.offsets.emplace(partition, offset).second) {
      return reader.Bad(option, "names partition ", partition.second, " of topic '", partition.first, "' twice");
    }
  }
  if (start.offsets.empty()) return reader.Bad(option, "is 'offsets:' without an offset");
  return absl::OkStatus();
}

absl::StatusOr<StartPosition> ParsePlace(const OptionReader& reader, std::string_view option, const std::string& text,
                                         const std::vector<std::string>& topics) {
  StartPosition start;
  const std::size_t colon = text.find(':');
  const std::string_view kind = std::string_view(text).substr(0, colon);
  const std::string_view rest =
      colon == std::string::npos ? std::string_view() : std::string_view(text).substr(colon + 1);
  if (text == "earliest") return start;
  if (text == "latest") {
    start.kind = StartPosition::Kind::kLatest;
    return start;
  }
  if (kind == "timestamp") {
    start.kind = StartPosition::Kind::kTimestamp;
    if (ParseSigned(rest, start.timestamp_ms)) return start;
    return reader.Bad(option, "must be timestamp:<milliseconds since 1970>, not '", text, "'");
  }
  if (kind == "offsets") {
    start.kind = StartPosition::Kind::kOffsets;
    MR_RETURN_IF_ERROR(ParseOffsets(reader, option, topics, rest, start));
    return start;
  }
  return reader.Bad(option, "must be earliest, latest, timestamp:<ms> or offsets:<topic>:<partition>=<offset>,…, not '",
                    text, "'", DidYouMean(kind, kKinds));
}

}  // namespace

absl::StatusOr<StartPosition> ParseStart(const OptionReader& reader, const std::vector<std::string>& topics) {
  return ParsePlace(reader, "start", reader.Text("start", "earliest"), topics);
}

absl::StatusOr<std::optional<StartPosition>> ParseEnd(const OptionReader& reader,
                                                      const std::vector<std::string>& topics) {
  const std::string text = reader.Text("end", "");
  if (text.empty()) return std::nullopt;
  if (text == "earliest") {
    return reader.Bad("end", "is earliest, before every record; it may be latest, timestamp:<ms> or offsets:…");
  }
  MR_ASSIGN_OR_RETURN(StartPosition end, ParsePlace(reader, "end", text, topics));
  end.others_latest = true;
  return end;
}

absl::StatusOr<std::map<TopicPartition, std::int64_t>> ResolveStarts(Client& client, const StartPosition& start,
                                                                     const std::vector<TopicPartition>& partitions) {
  std::map<TopicPartition, std::int64_t> resolved;
  PartitionList ask(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& partition : partitions) {
    if (auto given = start.offsets.find(partition); given != start.offsets.end()) {
      resolved[partition] = given->second;
      continue;
    }
    // The brokers' ListOffsets takes a time, or the logical "beginning" and "end" in its place.
    std::int64_t time = RD_KAFKA_OFFSET_BEGINNING;
    if (start.kind == StartPosition::Kind::kLatest || start.others_latest) time = RD_KAFKA_OFFSET_END;
    if (start.kind == StartPosition::Kind::kTimestamp) time = start.timestamp_ms;
    rd_kafka_topic_partition_list_add(ask.get(), partition.first.c_str(), partition.second)->offset = time;
  }
  if (ask->cnt == 0) return resolved;
  const rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(client.handle(), ask.get(), kOffsetsTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return client.Failed("asking for start offsets", error);
  StartPosition latest;
  latest.kind = StartPosition::Kind::kLatest;
  std::vector<TopicPartition> at_end;  // no record is as young as the time asked for
  for (int i = 0; i < ask->cnt; ++i) {
    const rd_kafka_topic_partition_t& answer = ask->elems[i];
    const TopicPartition partition(answer.topic, answer.partition);
    if (answer.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return client.Failed(Concat("asking for the start offset of ", partition.first, "-", partition.second),
                           answer.err);
    }
    if (answer.offset >= 0) {
      resolved[partition] = answer.offset;
    } else if (start.kind == StartPosition::Kind::kTimestamp) {
      at_end.push_back(partition);
    } else {
      return Unavailable("kafka at ", client.brokers(), ": no start offset for ", partition.first, "-",
                         partition.second, " yet");
    }
  }
  if (at_end.empty()) return resolved;
  MR_ASSIGN_OR_RETURN(auto ends, ResolveStarts(client, latest, at_end));
  resolved.merge(ends);
  return resolved;
}

}  // namespace millrace::kafka
