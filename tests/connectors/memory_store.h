// A ReceiverStore that keeps what it is given, and fails as it is told to: for tests of receivers alone.
//
//   MemoryStore store;
//   store.FailNext(Unavailable("disk"), 2);
//   EXPECT_TRUE(store.AwaitRecords(100));
//
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/status.h"
#include "executor/connectors/receiver.h"

namespace millrace {

struct StoredRecord {
  std::string key, value, topic, id;
  std::int64_t timestamp_us = 0;
  std::vector<std::pair<std::string, std::string>> headers;
};

class MemoryStore : public ReceiverStore {
 public:
  absl::Status Store(std::span<const ReceivedRecord> records) override {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    ++calls_;
    if (failures_ > 0) {
      --failures_;
      changed_.notify_all();
      return failure_;
    }
    for (const ReceivedRecord& record : records) {
      if (record.value.size() > max_value_) return InvalidArgument("a record of ", record.value.size(), " bytes");
    }
    for (const ReceivedRecord& record : records) {
      StoredRecord& copy = records_.emplace_back();
      copy.key = record.key;
      copy.value = record.value;
      copy.topic = record.topic;
      copy.id = record.id;
      copy.timestamp_us = record.timestamp_us;
      for (const engine::Header& header : record.headers) copy.headers.emplace_back(header.name, header.value);
    }
    changed_.notify_all();
    return absl::OkStatus();
  }

  void FailNext(absl::Status why, int times) {
    std::lock_guard lock(mutex_);
    failure_ = std::move(why);
    failures_ = times;
  }
  // Every Store, until FailAll(absl::OkStatus()).
  void FailAll(absl::Status why) { FailNext(why, why.ok() ? 0 : std::numeric_limits<int>::max()); }
  void RefuseLongerThan(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    max_value_ = bytes;
  }
  // While held, Store waits.
  void Hold(bool held) {
    std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  bool AwaitRecords(std::size_t count) {
    return Await([&] { return records_.size() >= count; });
  }
  bool AwaitEntered(int count) {
    return Await([&] { return entered_ >= count; });
  }
  std::vector<StoredRecord> records() const {
    std::lock_guard lock(mutex_);
    return records_;
  }
  std::vector<std::string> values() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> values;
    for (const StoredRecord& record : records_) values.push_back(record.value);
    return values;
  }
  // Calls of Store that were let through, and those that began.
  int calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  int entered() const {
    std::lock_guard lock(mutex_);
    return entered_;
  }

 private:
  template <class Condition>
  bool Await(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), condition);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StoredRecord> records_;
  absl::Status failure_;
  int failures_ = 0;
  int calls_ = 0;
  int entered_ = 0;
  bool held_ = false;
  std::size_t max_value_ = ~std::size_t{0};
};

}  // namespace millrace
