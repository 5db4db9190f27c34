#include "executor/connectors/rabbitmq/consumer.h"

#include "common/log.h"
#include "common/status.h"
#include "executor/connectors/rabbitmq/amqp_text.h"

namespace millrace::rabbitmq {
namespace {

constexpr std::size_t kBatchRecords = 10'000;
constexpr std::size_t kBatchBytes = 8 * 1024 * 1024;
constexpr std::uint64_t kToldOneByOne = 10;  // of a connection's messages that are too large; the rest is counted
// A refused passive declare closes its channel; the one that consumes should not be it.
constexpr amqp_channel_t kProbeChannel = 2;

}  // namespace

absl::StatusOr<std::unique_ptr<Consumer>> Consumer::Open(const ConnectionOptions& connection, ConsumerOptions options,
                                                         const std::string& name) {
  MR_ASSIGN_OR_RETURN(auto opened, Connection::Open(connection, name));
  std::unique_ptr<Consumer> consumer(new Consumer(std::move(opened), std::move(options)));
  MR_RETURN_IF_ERROR(consumer->FindQueue());
  MR_RETURN_IF_ERROR(consumer->BindQueue());
  MR_RETURN_IF_ERROR(consumer->Consume());
  return consumer;
}

absl::Status Consumer::FindQueue() {
  amqp_connection_state_t state = connection_->state();
  amqp_channel_open(state, kProbeChannel);
  MR_RETURN_IF_ERROR(connection_->CheckReply("opening a channel"));
  amqp_queue_declare(state, kProbeChannel, Bytes(options_.queue), /*passive=*/1, 1, 0, 0, amqp_empty_table);
  const absl::Status found = connection_->CheckReply(Concat("looking for queue '", options_.queue, "'"));
  if (found.ok()) {
    amqp_channel_close(state, kProbeChannel, AMQP_REPLY_SUCCESS);
    return connection_->CheckReply("closing a channel");
  }
  if (!absl::IsNotFound(found)) return found;
  if (!options_.declare) {
    return NotFound(connection_->server(), ": there is no queue '", options_.queue,
                    "' in this virtual host; make it, correct the option queues, or set declare = true");
  }
  amqp_channel_close_ok_t ok{};
  MR_RETURN_IF_ERROR(connection_->Check("closing a channel",
                                        amqp_send_method(state, kProbeChannel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok)));
  return MakeQueue();
}

absl::Status Consumer::MakeQueue() {
  std::vector<amqp_table_entry_t> arguments;
  const auto add = [&](const char* name, const std::string& value) {
    amqp_table_entry_t entry{};
    entry.key = amqp_cstring_bytes(name);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = Bytes(value);
    arguments.push_back(entry);
  };
  add("x-queue-type", options_.queue_type);
  if (!options_.dead_letter_exchange.empty()) add("x-dead-letter-exchange", options_.dead_letter_exchange);
  amqp_queue_declare(connection_->state(), kChannel, Bytes(options_.queue), 0, /*durable=*/1, 0, 0,
                     {static_cast<int>(arguments.size()), arguments.data()});
  return connection_->CheckReply(Concat("making queue '", options_.queue, "'"));
}

absl::Status Consumer::BindQueue() {
  if (options_.exchange.empty()) return absl::OkStatus();
  for (const std::string& key : options_.binding_keys) {
    amqp_queue_bind(connection_->state(), kChannel, Bytes(options_.queue), Bytes(options_.exchange), Bytes(key),
                    amqp_empty_table);
    MR_RETURN_IF_ERROR(connection_->CheckReply(
        Concat("binding queue '", options_.queue, "' to exchange '", options_.exchange, "' with key '", key, "'")));
  }
  return absl::OkStatus();
}

absl::Status Consumer::Consume() {
  amqp_basic_qos(connection_->state(), kChannel, 0, options_.prefetch_count, 0);
  MR_RETURN_IF_ERROR(connection_->CheckReply("setting prefetch_count"));
  amqp_basic_consume(connection_->state(), kChannel, Bytes(options_.queue), amqp_empty_bytes, 0, /*no_ack=*/0,
                     /*exclusive=*/0, amqp_empty_table);
  return connection_->CheckReply(Concat("consuming queue '", options_.queue, "'"));
}

absl::Status Consumer::Collect(DeliveryBatch& batch, bool bounded) {
  amqp_frame_t frame{};
  while (!bounded || open_ || (batch.size() < kBatchRecords && batch.bytes() < kBatchBytes)) {
    MR_ASSIGN_OR_RETURN(const bool got, connection_->NextFrame(frame));
    if (!got) return absl::OkStatus();
    MR_RETURN_IF_ERROR(Take(frame, batch));
    connection_->Release();
  }
  return absl::OkStatus();
}

absl::Status Consumer::Take(const amqp_frame_t& frame, DeliveryBatch& batch) {
  if (frame.channel != kChannel) return absl::OkStatus();
  if (frame.frame_type == AMQP_FRAME_METHOD) return TakeMethod(frame.payload.method);
  if (!open_) return Unavailable(connection_->server(), ": content came without a delivery; connecting again");
  if (frame.frame_type == AMQP_FRAME_HEADER) return TakeHeader(frame, batch);
  if (frame.frame_type != AMQP_FRAME_BODY) return absl::OkStatus();
  const std::string_view fragment = Text(frame.payload.body_fragment);
  if (fragment.size() > body_left_) {
    return Unavailable(connection_->server(), ": a message is longer than it said; connecting again");
  }
  if (!skip_) batch.Body(fragment);
  body_left_ -= fragment.size();
  return body_left_ == 0 ? EndDelivery(batch) : absl::OkStatus();
}

absl::Status Consumer::TakeMethod(const amqp_method_t& method) {
  if (method.id == AMQP_BASIC_CANCEL_METHOD) {
    return NotFound(connection_->server(), ": the server ended our consumer of queue '", options_.queue,
                    "': the queue was deleted, or its node is down");
  }
  if (method.id != AMQP_BASIC_DELIVER_METHOD) return absl::OkStatus();
  const auto* deliver = static_cast<const amqp_basic_deliver_t*>(method.decoded);
  open_ = true;
  tag_ = deliver->delivery_tag;
  routing_key_ = Text(deliver->routing_key);
  if (deliver->redelivered != 0) ++redelivered_;
  return absl::OkStatus();
}

absl::Status Consumer::TakeHeader(const amqp_frame_t& frame, DeliveryBatch& batch) {
  body_left_ = frame.payload.properties.body_size;
  skip_ = body_left_ > options_.max_message_bytes;
  const auto& properties = *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
  if (skip_ && too_large_ < kToldOneByOne) {
    const bool has_id = (properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0;
    log::Warn("rabbitmq: a message is larger than max_message_bytes and is rejected",
              {{"queue", options_.queue},
               {"bytes", body_left_},
               {"max_message_bytes", options_.max_message_bytes},
               {"message_id", has_id ? Text(properties.message_id) : std::string_view()}});
  }
  if (!skip_) {
    batch.Begin(tag_, routing_key_);
    batch.Properties(properties);
  }
  return body_left_ == 0 ? EndDelivery(batch) : absl::OkStatus();
}

absl::Status Consumer::EndDelivery(DeliveryBatch& batch) {
  open_ = false;
  if (!skip_) {
    batch.End();
    return absl::OkStatus();
  }
  ++too_large_;
  return Reject(tag_);
}

absl::Status Consumer::Acknowledge(std::uint64_t tag) {
  return connection_->Check("acknowledging", amqp_basic_ack(connection_->state(), kChannel, tag, /*multiple=*/1));
}

absl::Status Consumer::Reject(std::uint64_t tag) {
  return connection_->Check("rejecting", amqp_basic_reject(connection_->state(), kChannel, tag, /*requeue=*/0));
}

}  // namespace millrace::rabbitmq
