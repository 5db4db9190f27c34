// A consumer of one queue, with acknowledgements: finds or makes the queue, says how many messages may be under way,
// and takes what arrives.
//
//   MR_ASSIGN_OR_RETURN(auto consumer, Consumer::Open(connection_options, consumer_options, "millrace orders 0"));
//   MR_RETURN_IF_ERROR(consumer->Collect(batch, true));
//   MR_RETURN_IF_ERROR(consumer->Acknowledge(batch.tag(batch.size() - 1)));
//
// One thread. After an error it is only good for destruction: what was not acknowledged goes back to the queue.
#pragma once

#include <amqp.h>
#include <amqp_framing.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "executor/connectors/rabbitmq/connection.h"
#include "executor/connectors/rabbitmq/delivery_batch.h"

namespace millrace::rabbitmq {

struct ConsumerOptions {
  std::string queue;
  bool declare = false;                   // make the queue, durable, if there is none
  std::string queue_type;                 // of a queue that is made: "classic" or "quorum"
  std::string dead_letter_exchange;       // of a queue that is made; empty: none
  std::string exchange;                   // bind the queue to it; empty: leave the bindings as they are
  std::vector<std::string> binding_keys;  // with exchange
  std::uint16_t prefetch_count = 0;
  std::uint64_t max_message_bytes = 0;
};

class Consumer {
 public:
  static absl::StatusOr<std::unique_ptr<Consumer>> Open(const ConnectionOptions& connection, ConsumerOptions options,
                                                        const std::string& name);

  // Adds what has arrived; never waits for more. `bounded`: stops when the batch is large enough to be stored. Without,
  // prefetch_count is the bound: heartbeats come between messages, so who must wait goes on reading. A message above
  // max_message_bytes is not kept: it is rejected, and counted.
  absl::Status Collect(DeliveryBatch& batch, bool bounded);
  // All deliveries up to this one that were neither acknowledged nor rejected before.
  absl::Status Acknowledge(std::uint64_t tag);
  // To the queue's dead letter exchange; if it has none, the message is gone.
  absl::Status Reject(std::uint64_t tag);
  // A message has arrived in part: the batch must not go away before the rest is there.
  bool in_message() const { return open_; }
  void Await(int wake_fd, int timeout_ms) const { connection_->Await(wake_fd, timeout_ms); }

  std::uint64_t too_large() const { return too_large_; }
  std::uint64_t redelivered() const { return redelivered_; }

 private:
  Consumer(std::unique_ptr<Connection> connection, ConsumerOptions options)
      : connection_(std::move(connection)), options_(std::move(options)) {}
  absl::Status FindQueue();
  absl::Status MakeQueue();
  absl::Status BindQueue();
  absl::Status Consume();
  absl::Status Take(const amqp_frame_t& frame, DeliveryBatch& batch);
  absl::Status TakeMethod(const amqp_method_t& method);
  absl::Status TakeHeader(const amqp_frame_t& frame, DeliveryBatch& batch);
  absl::Status EndDelivery(DeliveryBatch& batch);

  const std::unique_ptr<Connection> connection_;
  const ConsumerOptions options_;
  // The delivery that is under way.
  bool open_ = false;
  bool skip_ = false;  // it is too large
  std::uint64_t tag_ = 0;
  std::string routing_key_;
  std::uint64_t body_left_ = 0;
  std::uint64_t too_large_ = 0;
  std::uint64_t redelivered_ = 0;
};

}  // namespace millrace::rabbitmq
