// Receives the messages of one RabbitMQ queue: takes what is there, gives it to the store in one call, and then
// acknowledges it in one. What is not acknowledged when the connection or the process ends comes again, to whichever
// consumer the server chooses.
//
// A record's key is the message's routing key, its topic the queue, its id the property message_id. A message above
// max_message_bytes, or one that the store refuses for its size, is rejected without requeue: it goes to the queue's
// dead letter exchange, or, where there is none, away. It is counted, and said in Problem.
//
// Memory: at most prefetch_count messages. See receiver.h for the thread rule.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "executor/connectors/rabbitmq/consumer.h"
#include "executor/connectors/rabbitmq/store_worker.h"
#include "executor/connectors/receiver.h"

namespace millrace::rabbitmq {

class RabbitMqReceiver : public Receiver {
 public:
  // `name` is shown by the server's own tools.
  RabbitMqReceiver(ConnectionOptions connection, ConsumerOptions options, std::string name);
  ~RabbitMqReceiver() override;

  absl::Status Start(ReceiverStore& store) override;
  void Stop() override;
  std::string Problem() const override;

 private:
  void Run(ReceiverStore& store);
  // Until the connection is lost or the receiver ends.
  absl::Status Serve(Consumer& consumer, StoreWorker& worker);
  absl::Status Settle(Consumer& consumer, const StoreResult& stored);
  void Leave(Consumer& consumer, StoreWorker& worker);
  void ReadWake() const;
  void Pause(std::chrono::milliseconds time) const;
  bool stopping() const;
  void SetDown(std::string why);
  void NoteRejected(std::uint64_t count, std::string why);

  const ConnectionOptions connection_;
  const ConsumerOptions options_;
  const std::string name_;
  int wake_ = -1;       // eventfd: a result of the store, or Stop
  bool ended_ = false;  // the split is another's; the receiver's thread alone
  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::string down_;
  std::uint64_t rejected_ = 0;
  std::string rejected_why_;
  const StoreWorker* worker_ = nullptr;  // while Run runs
  std::thread thread_;
};

}  // namespace millrace::rabbitmq
