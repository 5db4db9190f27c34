#include "executor/connectors/rabbitmq/source_options.h"

#include <algorithm>
#include <array>
#include <set>

#include "common/status.h"

namespace millrace::rabbitmq {
namespace {

constexpr std::array<std::string_view, 9> kOwnNames = {
    "queues",   "receivers",   "prefetch_count", "max_message_bytes", "declare", "queue_type", "dead_letter_exchange",
    "exchange", "binding_keys"};
constexpr auto kNames = [] {
  std::array<std::string_view, kConnectionOptionNames.size() + kOwnNames.size()> all{};
  std::copy(kOwnNames.begin(), kOwnNames.end(),
            std::copy(kConnectionOptionNames.begin(), kConnectionOptionNames.end(), all.begin()));
  return all;
}();
constexpr std::array<std::string_view, 2> kQueueTypes = {"classic", "quorum"};
constexpr std::uint64_t kMostBytes = 512ULL << 20;  // the server's own bound on a message

absl::Status ReadBindings(const OptionReader& reader, ConsumerOptions& options) {
  options.exchange = reader.Text("exchange", "");
  options.binding_keys = SplitList(reader.Text("binding_keys", ""));
  if (options.exchange.empty() && !options.binding_keys.empty()) {
    return reader.Bad("binding_keys", "has the value '", reader.Text("binding_keys", ""),
                      "', but no exchange is named to bind the queue to; set the option exchange");
  }
  // Fanout exchanges look at no key.
  if (!options.exchange.empty() && options.binding_keys.empty()) options.binding_keys.emplace_back();
  return absl::OkStatus();
}

absl::Status ReadQueues(const OptionReader& reader, std::vector<std::string>& queues) {
  MR_ASSIGN_OR_RETURN(const std::string text, reader.Required("queues"));
  queues = SplitList(text);
  if (queues.empty()) return reader.Bad("queues", "names no queue in '", text, "'");
  std::set<std::string_view> seen;
  for (const std::string& queue : queues) {
    if (queue.size() > 255) return reader.Bad("queues", "has a name longer than 255 bytes, which AMQP does not allow");
    if (!seen.insert(queue).second) return reader.Bad("queues", "names '", queue, "' twice; see the option receivers");
  }
  return absl::OkStatus();
}

absl::Status ReadConsumer(const OptionReader& reader, ConsumerOptions& options) {
  MR_ASSIGN_OR_RETURN(options.declare, reader.Bool("declare", false));
  MR_ASSIGN_OR_RETURN(options.queue_type, reader.Choice("queue_type", kQueueTypes));
  options.dead_letter_exchange = reader.Text("dead_letter_exchange", "");
  if (!options.dead_letter_exchange.empty() && !options.declare) {
    return reader.Bad("dead_letter_exchange", "has the value '", options.dead_letter_exchange,
                      "', but it is a property of a queue that is made here; set declare = true, or give the queue one "
                      "by a policy of the server");
  }
  MR_ASSIGN_OR_RETURN(const auto prefetch, reader.Number("prefetch_count", 1'000, 1, 65'535));
  options.prefetch_count = static_cast<std::uint16_t>(prefetch);
  MR_ASSIGN_OR_RETURN(options.max_message_bytes, reader.Number("max_message_bytes", 16ULL << 20, 1, kMostBytes));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SourceOptions> ReadSourceOptions(const engine::OperatorDescription& description) {
  OptionReader reader("source", description, kNames);
  MR_RETURN_IF_ERROR(reader.CheckNames());
  SourceOptions options;
  MR_ASSIGN_OR_RETURN(options.connection, ReadConnectionOptions(reader));
  MR_RETURN_IF_ERROR(ReadQueues(reader, options.queues));
  MR_RETURN_IF_ERROR(ReadConsumer(reader, options.consumer));
  options.consumer.queue = options.queues.front();
  MR_RETURN_IF_ERROR(ReadBindings(reader, options.consumer));
  MR_ASSIGN_OR_RETURN(const auto receivers, reader.Number("receivers", 1, 1, 1'000));
  options.receivers = static_cast<std::uint32_t>(receivers);
  return options;
}

}  // namespace millrace::rabbitmq
