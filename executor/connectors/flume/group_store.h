// Brings the records of many connections to one store: those that wait together are stored together, in one write. What
// nobody waits for any more, since its sender hung up, is left out; the sender comes with it again.
//
//   GroupStore group(store);
//   absl::Status status = group.Store(records, [&] { return !stream.HungUp(); });
//
// Thread rule: Store from any thread; returns when these records are stored or not. `store` outlives it.
// Errors: those of ReceiverStore; Cancelled also when nobody waits any more. When the store refuses a group because of
// its content, each part of it is tried alone.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "executor/connectors/receiver.h"

namespace millrace {

class GroupStore {
 public:
  static constexpr std::size_t kMaxRecords = 100'000;  // of a group, unless one part is larger

  explicit GroupStore(ReceiverStore& store) : store_(store) {}

  absl::Status Store(std::span<const ReceivedRecord> records, const std::function<bool()>& still_wanted);

 private:
  struct Part {
    std::span<const ReceivedRecord> records;
    const std::function<bool()>* still_wanted;
    bool done = false;
    absl::Status status = {};
  };
  // True when nobody waits for a part any more that is not being stored; it is out then.
  bool LeaveUnwanted(Part& part);
  std::vector<Part*> TakeGroup();
  void StoreGroup(const std::vector<Part*>& group);

  ReceiverStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Part*> waiting_;  // each lives in its caller's Store
  bool storing_ = false;
};

}  // namespace millrace
