// Publishes messages and waits for the server's confirms: a confirmed persistent message in a durable queue survives
// the server's end. A message that no queue takes is an error when `mandatory` is set.
//
//   MR_RETURN_IF_ERROR(publisher->Publish(message, deadline));
//   MR_RETURN_IF_ERROR(publisher->AwaitConfirmed(deadline));   // all of them
//
// One thread. A bounded number of messages is unconfirmed at a time: Publish waits for room. After an error it is only
// good for destruction; messages that were not confirmed may be there or not.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "executor/connectors/rabbitmq/connection.h"

namespace millrace::rabbitmq {

using Deadline = std::chrono::steady_clock::time_point;

struct PublisherOptions {
  std::string exchange;  // empty: the default one, where the routing key is a queue's name
  bool mandatory = true;
  std::string content_type;  // empty: none
};

struct OutMessage {
  std::string_view routing_key;
  std::string_view body;
  std::string_view message_id;
  std::int64_t time_us = 0;
};

class Publisher {
 public:
  // NotFound when the exchange does not exist.
  static absl::StatusOr<std::unique_ptr<Publisher>> Open(const ConnectionOptions& connection, PublisherOptions options,
                                                         const std::string& name);

  absl::Status Publish(const OutMessage& message, Deadline deadline);
  absl::Status AwaitConfirmed(Deadline deadline);
  // Takes what the server has sent, without waiting; an error when it has hung up meanwhile.
  absl::Status TakeAnswers();

 private:
  Publisher(std::unique_ptr<Connection> connection, PublisherOptions options)
      : connection_(std::move(connection)), options_(std::move(options)) {}
  absl::Status Prepare();
  absl::Status AwaitAtMost(std::size_t unconfirmed, Deadline deadline);
  absl::Status TakeMethod(const amqp_method_t& method);
  void Confirm(std::uint64_t tag, bool multiple);

  const std::unique_ptr<Connection> connection_;
  const PublisherOptions options_;
  std::uint64_t first_tag_ = 1;  // of the oldest message that is not confirmed
  std::deque<bool> confirmed_;   // from first_tag_ on; its front is false
  std::uint64_t published_ = 0;
};

}  // namespace millrace::rabbitmq
