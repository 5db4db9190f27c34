// The reader of one split of a receiver source: it runs the receiver, writes what it stores to the log, and gives
// batches what is in the log.
//
// A thread of its own claims the log, starts the receiver, and writes: calls of Store that wait at the same time become
// one entry. What no batch has taken yet is held in memory, a bounded amount; beyond it Store waits, and so the
// upstream. What a batch has taken is read from the log when it is asked for again.
//
// Thread rule: as SplitReader; Store from any thread. The destructor stops the receiver and waits for both.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "executor/connectors/received/log.h"
#include "executor/connectors/received/position.h"
#include "executor/connectors/received/recent_ids.h"
#include "executor/connectors/receiver.h"
#include "executor/connectors/source.h"

namespace millrace {

// What is wrong with a split, for the source's status. Any thread.
class ReceiverProblem {
 public:
  void Set(std::string text) {
    const std::lock_guard lock(mutex_);
    text_ = std::move(text);
  }
  // While it lives, its own problem is told when there is no other.
  void Watch(const Receiver* receiver) {
    const std::lock_guard lock(mutex_);
    receiver_ = receiver;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_.empty() && receiver_ != nullptr ? receiver_->Problem() : text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
  const Receiver* receiver_ = nullptr;
};

class LoggedReader final : public SplitReader, private ReceiverStore {
 public:
  LoggedReader(std::string where, std::string log, std::shared_ptr<CheckpointStore> storage,
               std::unique_ptr<Receiver> receiver, std::shared_ptr<ReceiverProblem> problem);
  ~LoggedReader() override;

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override;
  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override;
  void Drain() override;
  void Forget(std::string_view end) override;

 private:
  using EntryPtr = std::shared_ptr<const received::Entry>;
  struct Waiting {  // a call of Store
    std::span<const ReceivedRecord> records;
    std::size_t bytes = 0;
    bool taken = false;
    bool done = false;
    absl::Status status;
  };

  absl::Status Store(std::span<const ReceivedRecord> records) override;
  void Run();
  bool Open();  // false: the reader is closed
  absl::Status RememberIds();
  void StartReceiver();
  void StopReceiver();
  std::vector<Waiting*> TakeWaiting();
  void Write(const std::vector<Waiting*>& calls);
  absl::StatusOr<received::Position> At(std::string_view text) const;
  absl::StatusOr<EntryPtr> Get(std::uint64_t number);

  const std::string where_;
  ReceivedLog log_;
  const std::unique_ptr<Receiver> receiver_;
  const std::shared_ptr<ReceiverProblem> problem_;
  received::RecentIds ids_;  // the thread's

  std::mutex receiving_;  // guards the next two, and the receiver's Start and Stop
  bool started_ = false;
  bool stopped_ = false;

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<Waiting*> waiting_;
  std::map<std::uint64_t, EntryPtr> held_;  // by number: not given to a batch yet
  std::size_t held_bytes_ = 0;
  bool opened_ = false;
  bool draining_ = false;
  bool closed_ = false;
  bool ended_ = false;

  std::thread thread_;
};

}  // namespace millrace
