#include "executor/connectors/rabbitmq/publisher.h"

#include <amqp.h>
#include <amqp_framing.h>

#include <algorithm>

#include "common/status.h"
#include "executor/connectors/rabbitmq/amqp_text.h"

namespace millrace::rabbitmq {
namespace {

constexpr std::size_t kMaxUnconfirmed = 8'192;
constexpr std::uint64_t kLookEvery = 64;
constexpr int kTickMs = 250;
constexpr std::size_t kMaxShortText = 255;  // AMQP's own bound on routing keys

}  // namespace

absl::StatusOr<std::unique_ptr<Publisher>> Publisher::Open(const ConnectionOptions& connection,
                                                           PublisherOptions options, const std::string& name) {
  MR_ASSIGN_OR_RETURN(auto opened, Connection::Open(connection, name));
  std::unique_ptr<Publisher> publisher(new Publisher(std::move(opened), std::move(options)));
  MR_RETURN_IF_ERROR(publisher->Prepare());
  return publisher;
}

absl::Status Publisher::Prepare() {
  amqp_connection_state_t state = connection_->state();
  if (!options_.exchange.empty()) {
    amqp_exchange_declare(state, kChannel, Bytes(options_.exchange), Bytes("direct"), /*passive=*/1, 1, 0, 0,
                          amqp_empty_table);
    MR_RETURN_IF_ERROR(connection_->CheckReply(Concat("looking for exchange '", options_.exchange, "'")));
  }
  amqp_confirm_select(state, kChannel);
  return connection_->CheckReply("asking for publisher confirms");
}

absl::Status Publisher::Publish(const OutMessage& message, Deadline deadline) {
  if (message.routing_key.size() > kMaxShortText) {
    return InvalidArgument(connection_->server(), ": a routing key of ", message.routing_key.size(),
                           " bytes is too long; AMQP allows 255");
  }
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  properties.message_id = Bytes(message.message_id);
  properties.timestamp = static_cast<std::uint64_t>(std::max<std::int64_t>(0, message.time_us) / 1'000'000);
  if (!options_.content_type.empty()) {
    properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
    properties.content_type = Bytes(options_.content_type);
  }
  MR_RETURN_IF_ERROR(AwaitAtMost(kMaxUnconfirmed - 1, deadline));
  const int status =
      amqp_basic_publish(connection_->state(), kChannel, Bytes(options_.exchange), Bytes(message.routing_key),
                         options_.mandatory ? 1 : 0, 0, &properties, Bytes(message.body));
  if (status != AMQP_STATUS_OK) {
    // The server's own reason may have come before the connection broke.
    MR_RETURN_IF_ERROR(TakeAnswers());
    return connection_->Check("publishing", status);
  }
  confirmed_.push_back(false);
  return ++published_ % kLookEvery == 0 ? TakeAnswers() : absl::OkStatus();
}

absl::Status Publisher::AwaitConfirmed(Deadline deadline) { return AwaitAtMost(0, deadline); }

absl::Status Publisher::AwaitAtMost(std::size_t unconfirmed, Deadline deadline) {
  while (confirmed_.size() > unconfirmed) {
    MR_RETURN_IF_ERROR(TakeAnswers());
    if (confirmed_.size() <= unconfirmed) break;
    if (std::chrono::steady_clock::now() >= deadline) {
      const std::string& blocked = connection_->blocked();
      return Unavailable(connection_->server(), ": ", confirmed_.size(), " messages were not confirmed in time",
                         blocked.empty() ? std::string() : Concat("; the server takes none now: ", blocked));
    }
    connection_->Await(-1, kTickMs);
  }
  return absl::OkStatus();
}

absl::Status Publisher::TakeAnswers() {
  amqp_frame_t frame{};
  while (true) {
    MR_ASSIGN_OR_RETURN(const bool got, connection_->NextFrame(frame));
    if (!got) return absl::OkStatus();
    if (frame.channel == kChannel && frame.frame_type == AMQP_FRAME_METHOD) {
      MR_RETURN_IF_ERROR(TakeMethod(frame.payload.method));
    }
    connection_->Release();
  }
}

absl::Status Publisher::TakeMethod(const amqp_method_t& method) {
  switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto* ack = static_cast<const amqp_basic_ack_t*>(method.decoded);
      Confirm(ack->delivery_tag, ack->multiple != 0);
      return absl::OkStatus();
    }
    case AMQP_BASIC_NACK_METHOD:
      return Unavailable(connection_->server(), ": exchange '", options_.exchange,
                         "': the server could not take a message: a queue is full (x-overflow), or it failed");
    case AMQP_BASIC_RETURN_METHOD: {
      const auto* back = static_cast<const amqp_basic_return_t*>(method.decoded);
      return FailedPrecondition(connection_->server(), ": exchange '", options_.exchange,
                                "': no queue takes messages with the routing key '", Text(back->routing_key), "' (",
                                Text(back->reply_text),
                                "); bind one, correct the key, or set mandatory = false to let them go");
    }
    default:
      return absl::OkStatus();
  }
}

void Publisher::Confirm(std::uint64_t tag, bool multiple) {
  if (tag < first_tag_) return;
  const std::size_t last = std::min<std::uint64_t>(tag - first_tag_ + 1, confirmed_.size());
  for (std::size_t i = multiple ? 0 : last - 1; i < last; ++i) confirmed_[i] = true;
  while (!confirmed_.empty() && confirmed_.front()) {
    confirmed_.pop_front();
    ++first_tag_;
  }
}

}  // namespace millrace::rabbitmq
