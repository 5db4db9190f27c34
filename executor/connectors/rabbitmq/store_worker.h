// Gives one batch at a time to a ReceiverStore on a thread of its own: a store may wait for long, and the connection
// that the batch came from must answer heartbeats meanwhile.
//
//   if (worker.idle() && !batch.empty()) worker.Give(batch, queue);    // swaps the batch for an empty one
//   if (auto stored = worker.TakeResult()) Acknowledge(*stored);       // when wake_fd was readable
//
// Storage that fails is tried again with growing waits, until Abandon. Give, TakeResult and Abandon on one thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "executor/connectors/rabbitmq/delivery_batch.h"

namespace millrace::rabbitmq {

struct StoreResult {
  absl::Status status;                 // OK; Aborted and Cancelled: the split is no longer ours; else: abandoned
  std::uint64_t last_tag = 0;          // the last delivery that was stored; 0: none was
  std::vector<std::uint64_t> refused;  // deliveries that the store will never take: too large
  std::string refusal;                 // why
};

class StoreWorker {
 public:
  // `wake_fd` is an eventfd that is written when a result is there; it and `store` outlive the worker.
  StoreWorker(ReceiverStore& store, std::string queue, int wake_fd);
  ~StoreWorker();  // waits for a Store that is under way

  bool idle() const;
  void Give(DeliveryBatch& batch);
  std::optional<StoreResult> TakeResult();
  // Ends the waits between tries; a Store that is under way goes on to its end.
  void Abandon();
  // Waits for the result of what was given; nullopt when nothing was.
  std::optional<StoreResult> Finish();
  // Why the storage takes nothing now; empty when it does. Any thread.
  std::string problem() const;

 private:
  enum class State { kIdle, kStoring, kDone };
  void Run();
  StoreResult StoreBatch();
  absl::Status StoreRange(std::size_t begin, std::size_t end, StoreResult& result);
  absl::Status StoreAgain(std::span<const ReceivedRecord> records);

  ReceiverStore& store_;
  const std::string queue_;
  const int wake_fd_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kIdle;
  bool ending_ = false;
  bool abandoned_ = false;
  std::string problem_;
  StoreResult result_;
  DeliveryBatch batch_;  // the worker's while kStoring, else the giver's
  std::span<const ReceivedRecord> records_;
  std::thread thread_;
};

}  // namespace millrace::rabbitmq
