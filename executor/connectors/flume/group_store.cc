#include "executor/connectors/flume/group_store.h"

#include <algorithm>
#include <chrono>

#include "common/status.h"

namespace millrace {
namespace {

// A store that holds back may do so for long, and senders that give up come again on other connections.
constexpr std::chrono::milliseconds kLookPause{500};

absl::Status Unwanted() {
  return MakeStatus(absl::StatusCode::kCancelled, "the sender hung up before its records were stored");
}

}  // namespace

absl::Status GroupStore::Store(std::span<const ReceivedRecord> records, const std::function<bool()>& still_wanted) {
  Part part{records, &still_wanted};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&part);
  while (!part.done) {
    if (storing_) {
      changed_.wait_for(lock, kLookPause);
      if (LeaveUnwanted(part)) break;
      continue;
    }
    // Nobody stores: this thread does it, for all that wait.
    storing_ = true;
    const std::vector<Part*> group = TakeGroup();
    lock.unlock();
    StoreGroup(group);
    lock.lock();
    for (Part* stored : group) stored->done = true;
    storing_ = false;
    changed_.notify_all();
  }
  return part.status;
}

bool GroupStore::LeaveUnwanted(Part& part) {
  const auto at = std::find(waiting_.begin(), waiting_.end(), &part);
  if (at == waiting_.end() || (*part.still_wanted)()) return false;
  waiting_.erase(at);
  part.status = Unwanted();
  return true;
}

std::vector<GroupStore::Part*> GroupStore::TakeGroup() {
  std::size_t count = 0, records = 0;
  while (count < waiting_.size() && (count == 0 || records + waiting_[count]->records.size() <= kMaxRecords)) {
    records += waiting_[count++]->records.size();
  }
  std::vector<Part*> group(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  return group;
}

void GroupStore::StoreGroup(const std::vector<Part*>& group) {
  std::vector<Part*> wanted;
  for (Part* part : group) {
    if ((*part->still_wanted)()) {
      wanted.push_back(part);
    } else {
      part->status = Unwanted();
    }
  }
  if (wanted.size() > 1) {
    std::vector<ReceivedRecord> all;
    for (const Part* part : wanted) all.insert(all.end(), part->records.begin(), part->records.end());
    const absl::Status status = store_.Store(all);
    for (Part* part : wanted) part->status = status;
    if (!absl::IsInvalidArgument(status)) return;
  }
  for (Part* part : wanted) part->status = store_.Store(part->records);
}

}  // namespace millrace
